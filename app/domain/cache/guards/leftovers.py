"""Take away what both prompts say; what is left over on either side is a difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from app.domain.cache.guards.items import Item, Reading
from app.domain.cache.guards.tokens import fold

_LONGEST_JOIN: Final = 3
#: Things left over on a side for which counterparts are sought, so that the work is bounded.
_MOST_LEFT: Final = 40
#: Words that one acronym stands for.
_LONGEST_NAME: Final = 5
#: Of the small words in long names: of, and, for, in, the, de, la, y, e.
_SMALL_LETTERS: Final = frozenset("oafitdlye")
_INDEFINITE: Final = frozenset({"a", "an", "ein", "eine", "einen", "un", "une", "una", "um", "uma"})


def without_counterparts(one: Reading, other: Reading) -> tuple[list[Item], list[Item]]:
    """What only the one says, and what only the other says."""
    left, right = _left(one, other), _left(other, one)
    if max(len(left), len(right)) > _MOST_LEFT:
        return left, right
    if not (one.is_about_words or other.is_about_words):
        _join(left, right)
        _join(right, left)
    _initials(left, right, other.items)
    _initials(right, left, one.items)
    _ones(left, one, other)
    _ones(right, other, one)
    return left, right


def _left(one: Reading, other: Reading) -> list[Item]:
    there = other.count()
    left = []
    for item in one.items:
        key = (item.kind, item.value)
        if there[key]:
            there[key] -= 1
        else:
            left.append(item)
    return left


def _join(single: list[Item], several: list[Item]) -> None:
    """`wi fi` and `wifi`."""
    joined = {_joined(run): run for run in _runs(several)}
    for item in [item for item in single if item.kind == "w"]:
        run = joined.get(_joined([item]))
        if run and all(part in several for part in run):
            single.remove(item)
            for part in run:
                several.remove(part)


def _joined(run: Sequence[Item]) -> str:
    """Words as one, the last of them without its ending."""
    return "".join(fold(item.text) for item in run[:-1]) + run[-1].value.replace(" ", "")


def _runs(items: Sequence[Item], longest: int = _LONGEST_JOIN) -> Iterator[list[Item]]:
    for size in range(1, longest + 1):
        for start in range(len(items) - size + 1):
            run = list(items[start : start + size])
            if all(item.kind == "w" for item in run):
                yield run


def _initials(short: list[Item], long: list[Item], said: Sequence[Item]) -> None:
    """`SDK` and `software development kit`; `said` is all that the prompt of `long` says."""
    for item in [item for item in short if item.kind == "w" and item.text.isupper()]:
        for run in _runs(said, longest=_LONGEST_NAME):
            values, names = [part.value for part in run], [fold(part.text) for part in run]
            if _abbreviates(item.text.casefold(), names) and _all_in(values, long):
                short.remove(item)
                for value in values:
                    long.remove(next(part for part in long if part.value == value))
                break


def _abbreviates(letters: str, words: list[str]) -> bool:
    """Whether each word has its letter in turn; small words, which are not here, may have one."""
    rest = iter(letters)
    if len(words) < 2 or letters[0] != words[0][0] or letters[-1] != words[-1][0]:  # noqa: PLR2004 - one word has no initials
        return False
    if not all(any(letter == word[0] for letter in rest) for word in words):
        return False
    return set(_without(letters, words)) <= _SMALL_LETTERS


def _without(letters: str, words: list[str]) -> list[str]:
    left = list(letters)
    for word in words:
        left.remove(word[0])
    return left


def _all_in(values: list[str], items: Sequence[Item]) -> bool:
    return not Counter(values) - Counter(item.value for item in items)


def _ones(left: list[Item], one: Reading, other: Reading) -> None:
    """`1 monitor` and `a monitor`."""
    articled = {item.value for item in other.items if item.article in _INDEFINITE}
    for item, noun in zip(one.items, one.items[1:], strict=False):
        if (item.kind, item.value) == ("number", "1") and item in left and noun.value in articled:
            left.remove(item)
