"""What a worker and the process that started it say to each other: JSON, one message a line.

Orders come on the worker's standard input, news go out on its standard output: pipes that nobody
else reads. The configuration goes as its file says it; secrets that it names are read by each.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: In the directory of the sockets: locked by whoever writes the log.
LOG_TURNS: Final = "log.lock"


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The first order: what to serve, and where."""

    worker: int  # from 1
    config: str  # path of the file, for what it says of others
    content: bytes  # of the file that is in force, which may not be the one in place
    generation: int
    host: str
    port: int
    directory: str  # for sockets that only this user reaches
    listener: int | None = None  # an inherited descriptor; None: bind the address as others do
    redis_url: str | None = None  # of the embedded server; None: the configured one
    simulator_url: str | None = None  # of who stands in for all deployments


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """Put this in force: the file, as it was validated."""

    content: bytes


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Take no new requests, and end when those under way have ended."""


class Hurry(msgspec.Struct, frozen=True, tag="hurry"):
    """Drain, and wait for nothing."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """It serves; its sockets answer."""

    metrics: str
    view: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It cannot start: what a single process would say, and its exit code."""

    message: str
    code: int


Order = Begin | Reload | Drain | Hurry
News = Ready | Failed

_ENCODER: Final = msgspec.json.Encoder()
_ORDERS: Final = msgspec.json.Decoder(Order)
_NEWS: Final = msgspec.json.Decoder(News)


def line_of(message: Order | News) -> bytes:
    """The message with the end of its line."""
    return _ENCODER.encode(message) + b"\n"


def order_of(line: bytes) -> Order:
    """Raises msgspec.MsgspecError."""
    order: Order = _ORDERS.decode(line)
    return order


def news_of(line: bytes) -> News:
    """Raises msgspec.MsgspecError."""
    news: News = _NEWS.decode(line)
    return news
