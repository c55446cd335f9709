"""Compare the order of what two prompts say: from A to B is not from B to A.

What stands in another order is a difference, unless only phrases have changed places ("in June,
what ..."), words of a list, or who does it and to what between the active and the passive voice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

from app.domain.cache.guards.items import Item, Reading
from app.domain.cache.guards.lexicon import WEAK

_STRONG: Final = frozenset({"from", "to", "by"})
#: Items of which all pairs are compared; longer prompts must keep the order.
_MOST: Final = 120

#: German articles of masculine nouns, as who acts and as whom it is done to.
_NOMINATIVE: Final = frozenset({"der", "ein", "mein", "dein", "unser", "sein", "kein", "welcher"})
_ACCUSATIVE: Final = frozenset(
    {"den", "einen", "meinen", "deinen", "unseren", "seinen", "keinen", "welchen", "dem", "einem"}
)

_Pair: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Match:
    """The same thing said in both prompts, and its place in each."""

    here: Item
    there: Item
    at: int
    place: int

    @property
    def keeps_lead(self) -> bool:
        """Whether it is the same phrase that can stand anywhere: "in June"."""
        return self.here.lead == self.there.lead != ""

    @property
    def changes_voice(self) -> bool:
        return self.here.is_passive != self.there.is_passive

    @property
    def turns(self) -> bool:
        """Whether a direction is said in one prompt and another, or none, in the other."""
        return self.here.lead != self.there.lead and bool(
            _STRONG & {self.here.lead, self.there.lead}
        )


def places_differ(one: Reading, other: Reading, places: frozenset[str]) -> bool:
    """Whether the same thing stands behind another preposition of `places`: in it, on it."""
    return any(
        match.here.lead != match.there.lead
        and {match.here.lead, match.there.lead} <= {f"{WEAK}:{place}" for place in places}
        for match in _matches(one.items, other.items)
    )


def stands_apart(one: Reading, other: Reading) -> _Pair | None:
    """Two values that stand to each other in another way in `other`, None when none do."""
    matches = _matches(one.items, other.items)
    if found := _turned(matches) or _led(matches, alike=one.is_terse == other.is_terse):
        return found
    if one.is_terse != other.is_terse:
        return None
    if len(matches) > _MOST:
        return _first_inversion(matches)
    return _cased(matches) or _moved(matches, one, other)


def _led(matches: list[_Match], *, alike: bool) -> _Pair | None:
    """What is "from", "to" or "by" in one prompt and nothing in the other.

    "Report to a manager" is not "report a manager"; but bare keywords leave out every "of", and who
    acts in the passive voice is looked after elsewhere.
    """
    for match in matches:
        leads = {match.here.lead, match.there.lead}
        if match.turns and not (alike and ("by" in leads or match.changes_voice)):
            return match.here.value, "direction"
    return None


def _moved(matches: list[_Match], one: Reading, other: Reading) -> _Pair | None:
    agents = _agents(matches, one.items, other.items)
    if isinstance(agents, tuple):
        return agents
    inverted = [pair for pair in _inverted(matches) if not agents & {m.here.value for m in pair}]
    return _voices(matches, inverted, agents, one, other) or next(
        ((a.here.value, b.here.value) for a, b in inverted if not _innocent(a, b)), None
    )


def _matches(one: Sequence[Item], other: Sequence[Item]) -> list[_Match]:
    places = defaultdict(list)
    for place, item in enumerate(other):
        places[item.kind, item.value].append(place)
    matched = []
    for at, item in enumerate(one):
        there = places[item.kind, item.value]
        if there:
            place = there.pop(0)
            matched.append(_Match(item, other[place], at, place))
    return matched


def _turned(matches: list[_Match]) -> _Pair | None:
    """What is "from" in one prompt and "to" in the other, or does in one what it has done to it."""
    both_by = any(m.here.lead == "by" for m in matches) and any(
        m.there.lead == "by" for m in matches
    )
    for match in matches:
        leads = {match.here.lead, match.there.lead}
        if len(leads) > 1 and (leads <= _STRONG or (both_by and "by" in leads)):
            return match.here.value, "direction"
    return None


def _inverted(matches: list[_Match]) -> Iterator[tuple[_Match, _Match]]:
    for start, first in enumerate(matches):
        for second in matches[start + 1 :]:
            if first.place > second.place:
                yield first, second


def _first_inversion(matches: list[_Match]) -> _Pair | None:
    for first, second in pairwise(matches):
        if first.place > second.place:
            return first.here.value, second.here.value
    return None


def _agents(
    matches: list[_Match], one: Sequence[Item], other: Sequence[Item]
) -> frozenset[str] | _Pair:
    """Who acts and what is done, where one prompt says "by"; a pair where the other denies it."""
    found = set()
    for match in matches:
        if (match.here.lead == "by") == (match.there.lead == "by"):
            continue
        passive, at, active, place = (
            (one, match.at, other, match.place)
            if match.here.lead == "by"
            else (other, match.place, one, match.at)
        )
        verb = next((item for item in reversed(passive[:at]) if item.lead != "by"), None)
        acts = [i for i, item in enumerate(active) if verb and item.value == verb.value]
        if not acts or place > acts[0]:
            return match.here.value, "by"
        found |= {match.here.value, active[acts[0]].value}
    return frozenset(found)


def _voices(
    matches: list[_Match],
    inverted: list[tuple[_Match, _Match]],
    agents: frozenset[str],
    one: Reading,
    other: Reading,
) -> _Pair | None:
    """A verb that is passive in one prompt only, though its noun stands on the same side of it."""
    moved = {id(match) for pair in inverted for match in pair}
    for match in matches:
        if not match.changes_voice or match.here.value in agents or id(match) in moved:
            continue
        passive, active = (one, match.there) if match.here.is_passive else (other, match.here)
        if (
            "subject" in passive.persons
            or not active.after_subject
            or not (match.at and match.place)
        ):
            return match.here.value, "voice"
    return None


def _cased(matches: list[_Match]) -> _Pair | None:
    """In German the article says who does it and whom it is done to."""
    if any(match.changes_voice for match in matches):
        return None
    gains = [m for m in matches if m.here.article in _ACCUSATIVE and m.there.article in _NOMINATIVE]
    loses = [m for m in matches if m.here.article in _NOMINATIVE and m.there.article in _ACCUSATIVE]
    return (gains[0].here.value, loses[0].here.value) if gains and loses else None


def _innocent(first: _Match, second: _Match) -> bool:
    if first.turns or second.turns:
        return False
    if first.changes_voice != second.changes_voice:
        return True  # "cancel a booking", "a booking is cancelled"
    apart = first.here.chunk != second.here.chunk
    apart_there = first.there.chunk != second.there.chunk
    if apart and apart_there:
        if _listed(first, second):
            return True
        return first.here.lead != second.here.lead and (first.keeps_lead or second.keeps_lead)
    if apart_there:  # "a guest password", "a password for guests"
        return first.there.lead.startswith("weak")
    return apart and second.here.lead.startswith("weak")


def _listed(first: _Match, second: _Match) -> bool:
    """Whether both are of one list, of words and not of numbers, in both prompts."""
    return (
        first.here.listed == second.here.listed != 0
        and first.there.listed == second.there.listed != 0
        and "number" not in {first.here.kind, second.here.kind}
    )
