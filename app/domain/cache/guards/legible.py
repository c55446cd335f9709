"""Refuse what a reader does not see: characters that are not shown, and scribbles of signs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

#: Formats, private use, unassigned, surrogates, controls: Unicode's general categories.
_HIDDEN: Final = frozenset({"Cf", "Co", "Cn", "Cs", "Cc"})
_SPACING: Final = frozenset("\t\n\r")
#: Shown as nothing, though letters or marks by category (Unicode: Default_Ignorable_Code_Point).
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_JOINER: Final = "\u200d"
_STYLES: Final = "\ufe0e\ufe0f"
_KEYCAP: Final = "\u20e3"
#: Emoji that are punctuation by category.
_MARKS: Final = "\u203c\u2049\u3030\u303d"
#: Signs that say nothing where they stand alone or end a word.
_RUN: Final = re.compile(r"[-.!?;:,()/&\u2014\u2013\u2026]{2,}")
_USUAL: Final = re.compile(
    r"[!?]{1,5}|\.{1,4}|-{2,3}|[()]?[.!?;:,\u2026]{0,3}[()]?|[.,]?[-\u2014\u2013]"
)
_ALONE: Final = re.compile(r"(?<!\S)[^\w\s](?!\S)")
#: Signs more that may stand alone in one of two prompts: French has a blank before "?".
_FEW: Final = 2


def is_unreadable(text: str) -> bool:
    """Whether `text` has characters that are not shown, but for those that make an emoji."""
    return any(
        _is_hidden(char) and not _makes_emoji(text, at)
        for at, char in enumerate(text)
        if char > "\x7f" or char < " " or char == "\x7f"
    )


def scribbles_differ(left: str, right: str) -> bool:
    """Whether signs that say nothing are more in one of them than a slip or a habit."""
    if _scribbles(left) != _scribbles(right):
        return True
    return abs(len(_ALONE.findall(left)) - len(_ALONE.findall(right))) > _FEW


def _scribbles(text: str) -> Counter[str]:
    runs = (match[0] for match in _RUN.finditer(text))
    return Counter(run for run in runs if not _USUAL.fullmatch(run))


def _is_hidden(char: str) -> bool:
    if char in _SPACING:
        return False
    return unicodedata.category(char) in _HIDDEN or bool(_BLANK.match(char))


def _makes_emoji(text: str, at: int) -> bool:
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if text[at] in _STYLES:
        return _is_symbol(before) or (before != "" and after == _KEYCAP)
    if text[at] == _JOINER:
        return (_is_symbol(before) or before in {*_STYLES}) and _is_symbol(after)
    return False


def _is_symbol(char: str) -> bool:
    return char != "" and (unicodedata.category(char).startswith("S") or char in _MARKS)
