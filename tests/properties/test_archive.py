"""Whatever happens while rows are archived, each is in the archive once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.segment import segments
from app.adapters.archive.stream_id import parsed
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import entries

TENANTS = st.sampled_from(["a", "b", "c"])
POLICY = ArchivePolicy(segment_bytes=1500)


class Copying(RuleBasedStateMachine):
    """Streams that grow, a copier that repeats itself, a machine that stops in mid-write."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[str, list[tuple[str, bytes]]] = {"a": [], "b": [], "c": []}
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.clock = FakeClock()
        self.next = 1

    @initialize()
    def opens(self) -> None:
        self.archive = Archive.open(self.path, self.clock, POLICY)

    @rule(tenant=TENANTS, count=st.integers(1, 4))
    def settles(self, tenant: str, count: int) -> None:
        self.streams[tenant] += entries(*range(self.next, self.next + count), tenant=tenant)
        self.next += count

    @rule(tenants=st.sets(TENANTS, min_size=1), count=st.integers(1, 5))
    def copies(self, tenants: set[str], count: int) -> None:
        self.archive.append_all({tenant: self.following(tenant)[:count] for tenant in tenants})

    @rule(tenant=TENANTS, count=st.integers(1, 5))
    def copies_from_the_beginning(self, tenant: str, count: int) -> None:
        self.archive.append(tenant, self.streams[tenant][:count])

    @rule(tenants=st.sets(TENANTS, min_size=1), part=st.floats(0, 1))
    def stops_in_mid_write(self, tenants: set[str], part: float) -> None:
        """Only a part of the last batch reaches the disk: it was not acknowledged yet."""
        before = self.last_file()
        self.archive.append_all({tenant: self.following(tenant) for tenant in tenants})
        self.archive.close()
        name, size = self.last_file()
        begun = before[1] if before[0] == name else self.header_size(name)
        os.truncate(self.path / name, begun + int((size - begun) * part))
        self.opens()

    @rule()
    def restarts(self) -> None:
        self.archive.close()
        self.opens()

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours * 3600.0)

    @invariant()
    def what_is_archived_is_the_beginning_of_each_stream(self) -> None:
        for tenant, stream in self.streams.items():
            found = list(self.archive.entries(tenant, "0-0"))
            assert found == stream[: len(found)]
            assert self.archive.last_position(tenant) == (found[-1][0] if found else "0-0")

    def teardown(self) -> None:
        """In the end everything arrives."""
        self.archive.append_all({tenant: self.following(tenant) for tenant in self.streams})
        for tenant, stream in self.streams.items():
            assert [row.id for row in self.archive.rows(tenant)] == [
                stream_id.removesuffix("-0") for stream_id, _ in stream
            ]
        assert self.archive.verify() == []
        self.archive.close()
        self.directory.cleanup()

    def following(self, tenant: str) -> list[tuple[str, bytes]]:
        position = parsed(self.archive.last_position(tenant))
        return [entry for entry in self.streams[tenant] if parsed(entry[0]) > position]

    def last_file(self) -> tuple[str, int]:
        found = segments(self.path)
        return (found[-1].path.name, found[-1].path.stat().st_size) if found else ("", 0)

    def header_size(self, name: str) -> int:
        """A file's header is durable before its first row is written."""
        return len((self.path / name).read_bytes().splitlines(keepends=True)[0])


TestCopying = Copying.TestCase
TestCopying.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
