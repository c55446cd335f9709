"""What a page says that a command prints, beside what it printed."""

from __future__ import annotations

import re
from typing import Final

#: Numbers, ids and what is left out differ from run to run; words, columns and their order do not.
_VARIES: Final = (
    (r"req_0123456789abcdef01234567", r"req_[0-9a-f]{24}"),
    (r"0123456789abcdef0123456789abcdef", r"[0-9a-f]{32}"),
    (r"…", r".*"),
    (r"\d[\d.,]*", r"[\d.,]+"),
)
_TOKENS: Final = re.compile("|".join(f"({pattern})" for pattern, _ in _VARIES) + r"|(\s+)")


def headings(said: str) -> str:
    """The lines in capitals alone."""
    return "\n".join(line for line in said.splitlines() if line.isupper())


def missing(said: str, printed: str) -> list[str]:
    """The lines that were said and not printed, in whatever order."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    return [line for line in said.splitlines() if line.strip() and not _is_in(line, lines)]


def _is_in(said: str, lines: list[str]) -> bool:
    pattern = re.compile(_pattern(" ".join(said.split())))
    return any(pattern.fullmatch(line) for line in lines)


def _pattern(said: str) -> str:
    """A regular expression of a line, its varying parts left open."""
    parts, begin = [], 0
    for found in _TOKENS.finditer(said):
        parts.append(re.escape(said[begin : found.start()]))
        index = (found.lastindex or 0) - 1
        parts.append(_VARIES[index][1] if index < len(_VARIES) else " ")
        begin = found.end()
    return "".join([*parts, re.escape(said[begin:])])
