"""Cells of CSV that no spreadsheet takes for a formula, whatever it splits lines by.

OWASP, CSV Injection (2026-03): what begins with `=`, `+`, `-`, `@`, a tab or a line's end may be a
formula, also behind a separator within a cell. Where `;` separates, quotes of a cell that is not
the first of its line are no quotes: `1,"a;=x"` is two cells there, and the second is a formula.
"""

from __future__ import annotations

import re
from typing import Final

#: Of what a spreadsheet may read as the beginning of a formula; the last four are the full-width
#: forms, which it takes for the others in some languages.
_BEGINS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
#: What some reader begins a cell or a line by.
_SEPARATES: Final = ";|\\t\\n\\r\x0b\x0c\x85\u2028\u2029"
#: What readers pass over: quotes, blanks, what has no width.
_BLANK: Final = '\\s"\0-\\x1f\x7f\u200b\ufeff'
#: At the beginning of a cell or of what some reader takes for one. No separator is read twice, so
#: that a cell full of them takes time in proportion.
_FORMULA: Final = re.compile(
    rf"(?:\A|[{_SEPARATES}])(?:(?![{_SEPARATES}])[{_BLANK}])*+(?=[{_BEGINS}])"
)
#: What begins a cell and is lost with it, so that the next character begins it.
_LOST: Final = ("\t", "\r", "\n")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def cell(value: object) -> object:
    """The value; in a text an apostrophe stands before what would begin a formula.

    Numbers stay what they are, negative ones and those that are written as text, too.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    shown = _FORMULA.sub(_marked, value)
    return f"'{shown}" if shown.startswith(_LOST) else shown


def _marked(found: re.Match[str]) -> str:
    return f"{found[0]}'"
