"""Names of headers as they came, by what they are called here."""

from __future__ import annotations

from typing import Final

from app.api.strict_head import MAX_LINES, too_many_lines

#: Names that are known again, and how long one may be.
_MOST_NAMES: Final = 512
_LONGEST_NAME: Final = 64


class HeaderNames(dict[bytes, str]):
    """In lower case; clients send the same few.

    Nothing for one with an underscore: some servers read `x_y` and `x-y` as one. Names that are not
    known are counted, which bounds what a read may bring of them; then BadHead is raised.
    """

    missed = 0  # since a request began

    def __missing__(self, raw: bytes) -> str:
        self.missed += 1
        if self.missed > MAX_LINES:
            raise too_many_lines()
        name = "" if b"_" in raw else raw.decode("latin-1").lower()
        if len(self) < _MOST_NAMES and len(raw) < _LONGEST_NAME:
            self[raw] = name
        return name
