"""The audit log's copy: whole after whatever happens to Redis or to the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.adapters.archive.audit_log import (
    NAME,
    AuditCopier,
    AuditFile,
    AuditUnreadable,
    archived_records,
    copying_audit,
)
from app.adapters.archive.segment import segments
from app.domain.identity.audit import verify_audit
from app.domain.identity.directory import Actor, Role, TenantEntry
from app.domain.identity.directory_change import creation
from tests.fakes.changed import replace
from tests.fakes.directory import FakeDirectoryStore

ANNA = Actor("anna", Role.OWNER, "req-1")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[AuditFile]:
    opened = AuditFile(tmp_path)
    yield opened
    opened.close()


async def grown(log: FakeDirectoryStore, *names: str) -> None:
    """A record for each new tenant."""
    for name in names:
        await log.change([creation(TenantEntry(name))], ANNA)


async def test_every_record_is_copied_once(tmp_path: Path, file: AuditFile) -> None:
    """Round by round, in the log's order, also by a process that begins again."""
    log = FakeDirectoryStore()
    copier = AuditCopier(log, file)
    await grown(log, "a", "b")
    await copier.copy()
    await grown(log, "c")
    await copier.copy()
    await copier.copy()
    again = AuditFile(tmp_path)
    await AuditCopier(log, again).copy()
    again.close()
    assert list(archived_records(tmp_path)) == log.records
    assert verify_audit(archived_records(tmp_path)) == []
    assert segments(tmp_path) == [], "the ledger's archive does not take it for its own"


async def test_what_redis_lost_stays_in_the_copy(tmp_path: Path, file: AuditFile) -> None:
    """The log goes on from its last hash without the records before: so does the copy."""
    log = FakeDirectoryStore()
    await grown(log, "a", "b")
    await AuditCopier(log, file).copy()
    before = list(log.records)
    await grown(log, "c")
    del log.records[:2]
    await AuditCopier(log, file).copy()
    assert list(archived_records(tmp_path)) == [*before, *log.records]
    assert verify_audit(archived_records(tmp_path)) == []


async def test_numbers_that_were_given_twice_are_both_there(
    tmp_path: Path, file: AuditFile
) -> None:
    """Redis fell back behind what was copied: nothing is overwritten, and `verify` tells."""
    log = FakeDirectoryStore()
    await grown(log, "a", "b", "c")
    await AuditCopier(log, file).copy()
    lost = log.records[1:]
    del log.records[1:]
    await grown(log, "d")
    with capture_logs() as lines:
        await AuditCopier(log, file).copy()
    assert [line["event"] for line in lines] == ["audit_log_rolled_back"]
    kept = list(archived_records(tmp_path))
    assert kept == [log.records[0], *lost, log.records[1]]
    assert verify_audit(kept) == ["record 2: comes after record 3"]
    await grown(log, "e")
    await AuditCopier(log, file).copy()
    assert list(archived_records(tmp_path)) == [*kept, log.records[2]]


async def test_an_unfinished_line_is_written_anew(tmp_path: Path) -> None:
    """A process that died in the middle of one; readers pass over it meanwhile."""
    log = FakeDirectoryStore()
    await grown(log, "a", "b")
    async with copying_audit(log, tmp_path):
        pass
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-5])
    assert list(archived_records(tmp_path)) == log.records[:1]
    async with copying_audit(log, tmp_path):
        pass
    assert list(archived_records(tmp_path)) == log.records


async def test_a_line_that_was_altered_is_found(tmp_path: Path) -> None:
    """By its hash; what is no record at all is named by its line."""
    log = FakeDirectoryStore()
    await grown(log, "a", "b")
    altered = [replace(log.records[0], actor="bob"), log.records[1]]
    file = AuditFile(tmp_path)
    file.append(altered)
    file.close()
    assert verify_audit(archived_records(tmp_path)) == ["record 1: its content was altered"]
    with (tmp_path / NAME).open("ab") as raw:
        raw.write(b"{}\n")
    with pytest.raises(AuditUnreadable, match=r"audit\.jsonl:3: no audit record"):
        list(archived_records(tmp_path))


async def test_a_log_that_is_away_ends_nothing(tmp_path: Path) -> None:
    """It is copied when it is back."""
    log = FakeDirectoryStore()
    await grown(log, "a")
    log.away = True
    async with copying_audit(log, tmp_path):
        log.away = False
    assert list(archived_records(tmp_path)) == log.records


def test_nobody_else_may_read_it(tmp_path: Path, file: AuditFile) -> None:
    """It names people."""
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0
    assert file.end.number == 0
