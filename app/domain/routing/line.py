"""Those who wait for one thing, in order; who comes or leaves touches nobody else."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

#: The smallest in front: rank, and number among those of a rank. No two members share one.
Place = tuple[int, int]
_Member = TypeVar("_Member")
#: So many places of members that have left are kept in any case.
_LEFT_OVER: Final = 64


class Line(Generic[_Member]):
    """Coming and leaving cost O(log n) on average over many, whose turn it is O(1)."""

    __slots__ = ("_members", "_places")

    def __init__(self) -> None:
        self._members: dict[Place, _Member] = {}
        self._places: list[Place] = []  # a heap; members that left stay until they surface

    def __len__(self) -> int:
        return len(self._members)

    @property
    def first(self) -> _Member | None:
        """Whoever is in front; None where nobody waits."""
        return self._members[self._places[0]] if self._places else None

    def add(self, place: Place, member: _Member) -> None:
        """Somebody comes, wherever its place is."""
        self._members[place] = member
        heappush(self._places, place)

    def discard(self, place: Place) -> None:
        """Somebody leaves, from wherever it was."""
        self._members.pop(place, None)
        if len(self._places) > 2 * len(self._members) + _LEFT_OVER:
            self._places = list(self._members)
            heapify(self._places)
        while self._places and self._places[0] not in self._members:
            heappop(self._places)
