"""Take away what both prompts say; what is left over on either side is a difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.domain.cache.guards.items import Item, Reading

_LONGEST_JOIN: Final = 3
_INDEFINITE: Final = frozenset({"a", "an", "ein", "eine", "einen", "un", "une", "una", "um", "uma"})


def without_counterparts(one: Reading, other: Reading) -> tuple[list[Item], list[Item]]:
    """What only the one says, and what only the other says."""
    left, right = _left(one, other), _left(other, one)
    _join(left, right)
    _join(right, left)
    _initials(left, right)
    _initials(right, left)
    _ones(left, other)
    _ones(right, one)
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
    joined = {"".join(item.value for item in run).replace(" ", ""): run for run in _runs(several)}
    for item in [item for item in single if item.kind == "w"]:
        run = joined.get(item.value.replace(" ", ""))
        if run and all(part in several for part in run):
            single.remove(item)
            for part in run:
                several.remove(part)


def _runs(items: Sequence[Item]) -> Iterator[list[Item]]:
    for size in range(1, _LONGEST_JOIN + 1):
        for start in range(len(items) - size + 1):
            run = list(items[start : start + size])
            if all(item.kind == "w" for item in run):
                yield run


def _initials(short: list[Item], long: list[Item]) -> None:
    """`SDK` and `software development kit`, when every word that is left over has its letter."""
    for item in [item for item in short if item.kind == "w" and 1 < len(item.text) <= 6]:  # noqa: PLR2004 - longer ones are words
        letters = item.text.casefold()
        size = len(letters)
        for start in range(len(long) - size + 1):
            run = long[start : start + size]
            if item.text.isupper() and [part.value[:1] for part in run] == list(letters):
                short.remove(item)
                del long[start : start + size]
                break


def _ones(left: list[Item], other: Reading) -> None:
    """`1 monitor` and `a monitor`."""
    articled = [item for item in other.items if item.article in _INDEFINITE]
    for item in [item for item in left if (item.kind, item.value) == ("number", "1")]:
        if articled:
            left.remove(item)
