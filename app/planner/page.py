"""A page's tables of what strategies came to, made anew: text around them is left as it is.

A table is known by what it begins with, and by the heading of its scenario where it has one; the
counts of the verdict by their first words. What was not printed is left, too.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple

_HEADING: Final = re.compile(r"`?([\w-]+/[^:`]+)`?: \d+ PTUs, ")
_COUNTS: Final = re.compile(r"^shadow bucket: met in ", re.MULTILINE)
_FENCE: Final = "```"


class _Key(NamedTuple):
    """What a block is about: of two tables with the same key one is the other's newer one."""

    scenario: str
    begins: tuple[str, ...]


def renewed(page: str, printed: str) -> str:
    """The page with tables, headings of scenarios and counts as they were printed.

    Raises ValueError where the page has none of what was printed.
    """
    newer = {key: block for key, block in _keyed(printed) if key is not None}
    found = [(key, block) for key, block in _keyed(page)]
    if not any(key in newer for key, _ in found):
        message = "the page has no table of what was printed"
        raise ValueError(message)
    return "\n\n".join(_replaced(key, block, newer) for key, block in found)


def _replaced(key: _Key | None, block: str, newer: dict[_Key, str]) -> str:
    if key is None or key not in newer:
        return block
    text, ends = newer[key].rstrip("\n"), "\n" * (len(block) - len(block.rstrip("\n")))
    if _COUNTS.search(text):
        remarks = block[: block.index(_FENCE)] if _FENCE in block else ""
        text = f"{remarks}{_FENCE}\n{text}\n{_FENCE}"
    if heading := _HEADING.match(text):
        text = text.replace(heading[1], f"`{heading[1]}`", 1)
    return text + ends


def _keyed(text: str) -> list[tuple[_Key | None, str]]:
    """Paragraphs, and what each is about."""
    blocks = text.split("\n\n")
    return [(_key(before, block), block) for before, block in pairwise(["", *blocks])]


def _key(before: str, block: str) -> _Key | None:
    if _COUNTS.search(block):
        return _Key("", ("counts",))
    if heading := _HEADING.match(block):
        return _Key(heading[1], ())
    if not block.startswith("| "):
        return None
    above = _HEADING.match(before)
    first, second = (cell.strip() for cell in block.splitlines()[0].split("|")[1:3])
    return _Key(above[1] if above else "", (first, second))
