"""Compare the order of what two prompts say: from A to B is not from B to A."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from app.domain.cache.guards.reading import Item

_STRONG: Final = frozenset({"from", "to", "by"})
#: Items of which all pairs are compared; longer prompts must keep the order.
_MOST: Final = 120


def stands_apart(one: Sequence[Item], other: Sequence[Item]) -> tuple[str, str] | None:
    """Two values that stand to each other in another way in `other`, None when none do."""
    pairs = _matched(one, other)
    if _is_terse(one) != _is_terse(other):
        return _unsaid(pairs)
    for item, there in pairs:
        if item.lead != there.lead and {item.lead, there.lead} == {"from", "to"}:
            return item.value, item.lead
    if len(pairs) > _MOST:
        return _first_inversion(pairs)
    agents = _agents(pairs, one, other)
    if isinstance(agents, tuple):
        return agents
    for at, (first, first_there) in enumerate(pairs):
        for second, second_there in pairs[at + 1 :]:
            moved = other.index(first_there) > other.index(second_there)
            if not moved or {first.value, second.value} & agents:
                continue
            if not _innocent(first, second, first_there, second_there):
                return first.value, second.value
    return None


def _is_terse(items: Sequence[Item]) -> bool:
    """Whether it is bare keywords."""
    return not any(item.lead or item.chunk for item in items)


def _unsaid(pairs: list[tuple[Item, Item]]) -> tuple[str, str] | None:
    """Bare keywords stand in any order, but for what has a direction in the other prompt."""
    for item, there in pairs:
        for lead in {item.lead, there.lead} & _STRONG:
            return item.value, lead
    return None


def _agents(
    pairs: list[tuple[Item, Item]], one: Sequence[Item], other: Sequence[Item]
) -> frozenset[str] | tuple[str, str]:
    """Who acts, said with "by" in one prompt only; two values where the other says otherwise."""
    agents = set()
    for item, there in pairs:
        if (item.lead == "by") == (there.lead == "by"):
            continue
        passive, at, active, place = (
            (one, item, other, there) if item.lead == "by" else (other, there, one, item)
        )
        verb = next((it for it in reversed(passive[: passive.index(at)]) if it.lead != "by"), None)
        acts = next((it for it in active if verb and it.value == verb.value), None)
        if acts is None or active.index(place) > active.index(acts):
            return item.value, "by"
        agents |= {item.value, acts.value}
    return frozenset(agents)


def _matched(one: Sequence[Item], other: Sequence[Item]) -> list[tuple[Item, Item]]:
    places = defaultdict(list)
    for item in other:
        places[item.kind, item.value].append(item)
    matched = []
    for item in one:
        there = places[item.kind, item.value]
        if there:
            matched.append((item, there.pop(0)))
    return matched


def _first_inversion(pairs: list[tuple[Item, Item]]) -> tuple[str, str] | None:
    for (first, first_there), (second, second_there) in pairwise(pairs):
        if first_there.chunk > second_there.chunk:
            return first.value, second.value
    return None


def _innocent(first: Item, second: Item, first_there: Item, second_there: Item) -> bool:
    """Whether two phrases have only changed places: "in June, what" and "what in June"."""
    if first.chunk != second.chunk and first_there.chunk != second_there.chunk:
        leads = first.lead == first_there.lead and second.lead == second_there.lead
        return leads and first.lead != second.lead
    if first.is_participle != first_there.is_participle and not second.is_participle:
        return first.lead == second.lead  # "cancel a booking", "a booking cancelled"
    if second.is_participle != second_there.is_participle and not first.is_participle:
        return first.lead == second.lead
    if first.chunk == second.chunk:
        return first_there.lead.startswith("weak") and first_there.chunk != second_there.chunk
    if first_there.chunk == second_there.chunk:
        return second.lead.startswith("weak") and first.chunk != second.chunk
    return False
