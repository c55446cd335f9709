"""Faults on demand: armed through the control API, each used up by the requests that meet it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

FOR_EVER: Final = -1


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What goes wrong with the next requests; without `deployment`, of any deployment.

    `cut_after_chunks` and `stall_after_chunks` count chunks with content; an answer that does not
    stream is cut, or stalls, in the middle.
    """

    deployment: str | None = None
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    content_type: str | None = None
    delay_ms: float = 0
    """Before the headers."""
    usage: Literal["missing", "zero"] | None = None
    in_stream_429: bool = False
    """The throttle comes inside a stream with status 200."""
    stream_error_first: bool = False
    """A stream whose first event is an error."""
    cut_after_chunks: int | None = None
    cut_after_bytes: int | None = None
    stall_after_chunks: int | None = None
    half_close: bool = False
    """Where it would be cut (after one chunk unless told), only the sending side is closed."""
    endless_line: bool = False
    """A line of an event stream that never ends; it does after 128 MiB."""
    gzip: bool = False
    early_hints: bool = False
    trailers: bool = False

    @property
    def replaces_answer(self) -> bool:
        return self.status is not None or self.body is not None

    @property
    def cut_chunk(self) -> int | None:
        """How many chunks with content come before the cut."""
        if self.half_close and self.cut_after_chunks is None:
            return 1
        return self.cut_after_chunks

    @property
    def breaks_midway(self) -> bool:
        return self.cut_chunk is not None or self.stall_after_chunks is not None


NO_FAULT: Final = Fault()


def parse_fault(body: bytes) -> Fault:
    """Read a fault to arm.

    Raises:
        ValueError: what is wrong with it, and where.
    """
    try:
        return msgspec.json.decode(body, type=Fault, strict=True)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


class Faults:
    """Armed faults, the first one that fits being the one that happens."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def arm(self, fault: Fault) -> None:
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        self._armed.clear()

    def take(self, deployment: str) -> Fault:
        """The fault that a request to `deployment` meets."""
        for armed in self._armed:
            if armed.fault.deployment in {None, deployment}:
                self._use(armed)
                return armed.fault
        return NO_FAULT

    def _use(self, armed: _Armed) -> None:
        if armed.left != FOR_EVER:
            armed.left -= 1
            if armed.left <= 0:
                self._armed.remove(armed)


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times


def described(fault: Fault) -> Mapping[str, Any]:
    """The fault as JSON, without what it leaves usual."""
    return {
        name: value
        for name, value in msgspec.to_builtins(fault).items()
        if value != getattr(NO_FAULT, name)
    }
