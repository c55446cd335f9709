"""Status line and headers of an answer, as bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Protocol

_STATUS_LINES: Final = {int(each): f"HTTP/1.1 {int(each)} {each.phrase}\r\n" for each in HTTPStatus}
_FIXED: Final = "cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
#: What no header's value may hold: it could end the line, and begin another (RFC 9110, 5.5).
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Dated(Protocol):
    """Whoever has the date."""

    default_headers: list[tuple[bytes, bytes]]


class CommonLines:
    """The header lines that all answers of a moment have: the date, and what never changes."""

    __slots__ = ("_made_of", "_state", "_text")

    def __init__(self, state: Dated) -> None:
        """`state` has the date: the server puts in another list every second."""
        self._state = state
        self._made_of: list[tuple[bytes, bytes]] | None = None
        self._text = ""

    def text(self) -> str:
        """Whole lines."""
        if self._made_of is not self._state.default_headers:
            self._made_of = self._state.default_headers
            lines = [f"{name.decode()}: {value.decode()}\r\n" for name, value in self._made_of]
            self._text = "".join(lines) + _FIXED
        return self._text


def answer_head(status: int, headers: Mapping[str, str], more: str) -> bytes:
    """The head with its blank line; `more` are whole lines, which are taken as they are.

    Raises ValueError for a value that would not be one header, or that Latin-1 does not have.
    """
    values = "".join(headers.values())
    if not values.isprintable() and _CONTROL.search(values):
        message = "an answer's header has a control character in its value"
        raise ValueError(message)
    lines = "\r\n".join([*map(": ".join, headers.items()), more])
    first = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    return f"{first}{lines}\r\n".encode("latin-1")
