"""What the driver is told and what it says; times are milliseconds but where a name says more."""

from __future__ import annotations

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """A request: where to, and its body and headers as they are sent."""

    port: int
    path: str
    body: bytes
    headers: dict[str, str] = {}

    def as_bytes(self) -> bytes:
        """All of it, for a connection that stays."""
        own = {"host": f"127.0.0.1:{self.port}", "content-length": str(len(self.body))}
        headers = {**own, "content-type": "application/json", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


class Arriving(msgspec.Struct, frozen=True):
    """Requests that come by a Poisson process; with `per_s` 0, one after the other's answer."""

    asked: Asked
    per_s: float
    #: At most so many at once; what is due meanwhile waits, and its waiting counts.
    connections: int
    #: With `per_s` 0 so many in all, however long they take; 0: as long as there is time.
    requests: int = 0


class StreamLoad(msgspec.Struct, frozen=True):
    """So many streams at once, each followed by another; `crc32` is what a body must have."""

    asked: Asked
    at_once: int
    crc32: int = 0


class LeaversLoad(msgspec.Struct, frozen=True):
    """So many clients at once that ask for a stream and leave before its end."""

    asked: Asked
    at_once: int


class Spec(msgspec.Struct, frozen=True):
    """One load; `seconds` is for how long requests begin."""

    seconds: float
    arriving: list[Arriving] = []
    streams: StreamLoad | None = None
    leavers: LeaversLoad | None = None
    seed: int = 7


class AnswersFound(msgspec.Struct, frozen=True):
    """Of one kind of arriving requests; times from when each was due."""

    answered: int
    failed: int
    seconds: float
    p50: float
    p99: float
    slowest: float

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


class StreamsFound(msgspec.Struct, frozen=True):
    """Frames a second are those of the time in which all streams ran."""

    streams: int
    failed: int
    changed: int
    frames: int
    frames_per_s: float
    ttft_p50: float
    ttft_p99: float
    crc32: int


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a load."""

    answers: list[AnswersFound] = []
    streams: StreamsFound | None = None
    left: int = 0
