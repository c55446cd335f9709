"""A text cut into pieces of about a token each, never within what a reader sees as one character.

Where the answer has log probabilities, its own tokens are the pieces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

#: A short word with the space before it, a few digits, space, or other characters: with letters of
#: other scripts, tokens are shorter.
_PIECE: Final = re.compile(
    r" ?[A-Za-z]{1,7}| ?[0-9]{1,3}|\s{1,16}|[^\w\s]{1,3}|[^\W\x00-\x7f]{1,3}|.", re.DOTALL
)
#: A piece grows by so many code points at most for the sake of its last character.
_LONGEST_JOIN: Final = 64
_ZWJ: Final = "\u200d"
_VIRAMA: Final = 9  # the combining class


def pieces_of(text: str) -> Iterator[str]:
    """The pieces of a text, in order; nothing for none."""
    start = 0
    while start < len(text):
        found = _PIECE.match(text, start)
        end = found.end() if found else start + 1
        end = _grown(text, start, end)
        yield text[start:end]
        start = end


def tokens_of(text: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Pieces of a text with the log probabilities of their tokens.

    Bytes of one character may be several tokens; those make one piece. Where the tokens are not the
    text, all of it is one piece.
    """
    readable = all(isinstance(each, Mapping) for each in entries)
    parts = list(_decoded(entries)) if readable else []
    if "".join(piece for piece, _ in parts) == text:
        yield from parts
    else:
        yield text, list(entries)


def _decoded(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    waiting: list[Any] = []
    data = b""
    for entry in entries:
        waiting.append(entry)
        data += _bytes(entry)
        try:
            piece = data.decode()
        except UnicodeDecodeError:
            continue
        yield piece, waiting
        waiting, data = [], b""
    if waiting:
        yield data.decode("utf-8", "replace"), waiting


def _bytes(entry: Mapping[str, Any]) -> bytes:
    """A token's bytes; the string alone shows those of half a character as escapes."""
    given = entry.get("bytes")
    try:
        if isinstance(given, list):
            return bytes(given)
    except (TypeError, ValueError):  # no numbers, or none of bytes
        pass
    return str(entry.get("token") or "").encode("utf-8", "replace")


def _grown(text: str, start: int, end: int) -> int:
    """The end of a piece, moved behind what belongs to its last character."""
    limit = min(len(text), end + _LONGEST_JOIN)
    while end < limit and _belongs(text, start, end):
        end += 1
    return end


def _belongs(text: str, start: int, at: int) -> bool:
    """Whether there is no boundary before `at` (Unicode's grapheme clusters, UAX 29, in short)."""
    before, after = text[at - 1], text[at]
    if after.isascii():
        return before == "\r" and after == "\n"
    if _ZWJ in (before, after) or unicodedata.category(after)[0] == "M":
        return True
    if _is_flag(after):
        return _flags_before(text, start, at) % 2 == 1
    return (
        "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\u1160" <= after <= "\u11ff"  # vowels and finals of a Hangul syllable
        or ("\u1100" <= before <= "\u115f" and "\uac00" <= after <= "\ud7a3")
        or (unicodedata.combining(before) == _VIRAMA and after.isalpha())
    )


def _is_flag(char: str) -> bool:
    """Regional indicators: two are a flag."""
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flags_before(text: str, start: int, at: int) -> int:
    count = 0
    while at - count > start and _is_flag(text[at - count - 1]):
        count += 1
    return count
