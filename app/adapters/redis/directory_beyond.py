"""The fields of the directory's entries that a newer version wrote and this one does not know.

They are written back with every change, so that replicas of two versions may both make changes
while one replaces the other, and nothing is lost by a rollback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import msgspec

from app.domain.identity.directory import Entry, EntryKind
from app.domain.identity.directory_change import Place

_Rest = dict[str, msgspec.Raw]


class Beyond:
    """What was read of them last; only fields of the entry itself, none inside of those."""

    __slots__ = ("_known", "_rests")

    def __init__(self, forms: Mapping[EntryKind, type[Entry]]) -> None:
        self._known = {
            kind.value.encode(): frozenset(each.name for each in fields(form))
            for kind, form in forms.items()
        }
        self._rests: dict[bytes, _Rest] = {}

    def note(self, places: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """What was read of entries, as JSON; None where one was deleted."""
        for place, value in zip(places, values, strict=True):
            if rest := self._rest_of(place, value):
                self._rests[place] = rest
            else:
                self._rests.pop(place, None)

    def forget(self, places: Iterable[Place]) -> None:
        """Of entries that were deleted."""
        for kind, name in places:
            self._rests.pop(f"{kind}:{name}".encode(), None)

    def packed(self, entries: Iterable[tuple[Place, Entry | None]]) -> list[tuple[str, str]]:
        """Places and what is to be written there; empty where it is to be deleted."""
        return [self._packed(f"{kind}:{name}", entry) for (kind, name), entry in entries]

    def _packed(self, place: str, entry: Entry | None) -> tuple[str, str]:
        if entry is None:
            return place, ""
        encoded = msgspec.json.encode(entry)
        if rest := self._rests.get(place.encode()):
            encoded = msgspec.json.encode(msgspec.json.decode(encoded, type=_Rest) | rest)
        return place, encoded.decode()

    def _rest_of(self, place: bytes, value: bytes | None) -> _Rest:
        """Nothing of an entry of an unknown kind, or one that cannot be read."""
        known = self._known.get(place.partition(b":")[0])
        if value is None or known is None:
            return {}
        try:
            found = msgspec.json.decode(value, type=_Rest)
        except msgspec.MsgspecError:
            return {}
        # A copy: what is decoded is a view of the whole answer, which would be kept with it.
        return {name: msgspec.Raw(bytes(raw)) for name, raw in found.items() if name not in known}
