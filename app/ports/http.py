"""One HTTP call and its reply, as the gateway sees them; and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from app.domain.call.request import Route
from app.errors import ClientGone, ShuttingDown, SpillgateError


class Clock(Protocol):
    """Time, in seconds."""

    def now(self) -> float:
        """Monotonic time: what holds, deadlines and durations are measured on."""
        ...

    def unix(self) -> float:
        """Time of day as Unix time, which may jump.

        For records, for calendars and prices, and for the age of what another process kept.
        """
        ...


class Call(Protocol):
    """One HTTP request as it came in."""

    @property
    def request_id(self) -> str:
        """The id in `x-request-id`, the record and the logs."""
        ...

    @property
    def client(self) -> str | None:
        """The address of who asks, behind proxies that are trusted; None where there is none."""
        ...

    @property
    def route(self) -> Route:
        """What its method and path name. Raises UnknownRoute or MethodNotAllowed."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    @property
    def interruption(self) -> ClientGone | ShuttingDown | None:
        """What cut the request short from outside, if anything did."""
        ...

    async def body(self) -> bytes:
        """The whole body. Raises BodyTooLarge, BodyTimeout, UnsupportedEncoding, ClientGone."""
        ...


class Reply(Protocol):
    """The answer on its way to the client. Sending raises ClientGone once nobody reads it."""

    @property
    def status(self) -> int | None:
        """The status that was sent; None before."""
        ...

    def put_first(self, status: int, headers: Mapping[str, str], data: bytes) -> bool:
        """Send status, headers and a first part where that takes no waiting; whether it did."""
        ...

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a part of the body; returns once there is room for more."""
        ...

    def put(self, data: bytes) -> bool:
        """Send a part of the body where that takes no waiting; whether it was sent."""
        ...

    async def finish(self) -> None:
        """End the body."""
        ...

    async def break_off(self, error: SpillgateError) -> None:
        """End an answer that cannot be completed, so that the client notices.

        An event stream ends with an error event; any other body by dropping the connection,
        because nothing else tells the client that what it has is not whole.
        """
        ...
