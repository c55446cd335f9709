"""A directory in memory: versions, conflicts and an audit log as the real store has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.domain.identity.audit import ChainEnd, chained
from app.domain.identity.directory import Actor, AuditRecord, Change, Directory, Entry, InForce
from app.domain.identity.directory_change import directory_of, entries_of, place_of, steps_of
from app.errors import StoreUnavailable


class FakeDirectoryStore:
    """A DirectoryStore. `away` makes it unreachable; `rivals` write first, one a call."""

    def __init__(self, entries: Iterable[Entry] = (), *, at: float = 1_790_000_000.0) -> None:
        """`entries` are there from the start, without a line in the log; `at` dates the log."""
        self.current: Directory = directory_of(entries, version=1)
        self.records: list[AuditRecord] = []
        self.away = False
        self.workers, self.live = 2, 2
        self.rivals: list[Entry] = []
        self.changes = 0
        self._at = at

    async def change(self, changes: Sequence[Change], actor: Actor) -> InForce:
        """As the port says; rivals write first, each before one call."""
        if self.away:
            raise StoreUnavailable("The directory is out of reach.")
        self.changes += 1
        if self.rivals:
            self._put(self.rivals.pop(0))
        steps = steps_of(entries_of(self.current), changes)
        entries = entries_of(self.current)
        for step in steps:
            place = step.change.kind, step.change.id
            entries.pop(place, None)
            if step.after is not None:
                entries[place] = step.after
        self.records += chained(steps, self.end, actor=actor, at=self._at)
        self.current = directory_of(entries.values(), self.current.version + 1)
        return InForce(self.current.version, self.workers, self.live)

    async def audit(self, after: int, count: int) -> list[AuditRecord]:
        if self.away:
            raise StoreUnavailable("The directory is out of reach.")
        return [record for record in self.records if record.number > after][:count]

    async def audit_end(self) -> ChainEnd:
        """The number and hash of the last record that was written."""
        return self.end

    @property
    def end(self) -> ChainEnd:
        last = self.records[-1] if self.records else None
        return ChainEnd(last.number, last.hash) if last else ChainEnd()

    def _put(self, entry: Entry) -> None:
        entries = entries_of(self.current) | {place_of(entry): entry}
        self.current = directory_of(entries.values(), self.current.version + 1)
