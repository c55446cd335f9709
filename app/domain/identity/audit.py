"""The audit log: a line for each change, each line holding a hash of all before it.

Whoever alters, drops or inserts a line has to write every later one anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import NamedTuple

import msgspec

from app.domain.identity.directory import Actor, AuditRecord, Change, Entry, TenantEntry


class ChainEnd(NamedTuple):
    """The last line's number and hash; of an empty log 0 and nothing."""

    number: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One change that is made: the entry before and after, None where there is none."""

    change: Change
    before: Entry | None
    after: Entry | None

    @property
    def action(self) -> str:
        """What an audit record calls it; whether prompts may be traced is told in words."""
        if self.after is None:
            return "deleted"
        made = "created" if self.before is None else "changed"
        if _traces_content(self.before) == _traces_content(self.after):
            return made
        return f"{made}, trace_content {'on' if _traces_content(self.after) else 'off'}"


def _traces_content(entry: Entry | None) -> bool:
    return isinstance(entry, TenantEntry) and entry.trace_content


def entry_hash(entry: Entry | None) -> str:
    """SHA-256 of an entry's canonical JSON, hexadecimal; empty for none."""
    return sha256(_canonical(entry)).hexdigest() if entry is not None else ""


def record_hash(record: AuditRecord) -> str:
    """SHA-256 over the previous hash and the record's canonical JSON without its own hash."""
    content = _canonical(replace(record, hash=""))
    return sha256(record.previous.encode() + content).hexdigest()


def chained(
    steps: Iterable[Step], end: ChainEnd, *, actor: Actor, at: float
) -> Iterator[AuditRecord]:
    """The records of these steps, following `end`; `at` is Unix time."""
    for step in steps:
        record = AuditRecord(
            number=end.number + 1,
            at=at,
            actor=actor.name,
            role=actor.role,
            request_id=actor.request_id,
            kind=step.change.kind,
            id=step.change.id,
            action=step.action,
            before=entry_hash(step.before),
            after=entry_hash(step.after),
            previous=end.hash,
            hash="",
        )
        record = replace(record, hash=record_hash(record))
        end = ChainEnd(record.number, record.hash)
        yield record


def verify_audit(records: Iterable[AuditRecord], after: ChainEnd | None = None) -> list[str]:
    """What is wrong with a log, in words; nothing where it is whole.

    `after` is the end of the part that was verified before, for a log that is read in pages. A log
    that was cut at its end looks whole: compare its last line with the end that the store names.
    """
    faults: list[str] = []
    end = after or ChainEnd()
    for record in records:
        faults += _faults(record, end)
        end = ChainEnd(record.number, record.hash)
    return faults


def _faults(record: AuditRecord, end: ChainEnd) -> Iterator[str]:
    if record.number > end.number + 1:
        yield f"record {record.number}: the {record.number - end.number - 1} before it are missing"
    elif record.number <= end.number:
        yield f"record {record.number}: comes after record {end.number}"
    elif record.previous != end.hash:
        yield f"record {record.number}: does not follow from record {end.number}"
    if record_hash(record) != record.hash:
        yield f"record {record.number}: its content was altered"


def _canonical(value: object) -> bytes:
    """JSON with members in order and no spaces, of the value as it is read back: 3 is 3.0."""
    read_back = msgspec.json.decode(msgspec.json.encode(value), type=type(value))
    return msgspec.json.encode(read_back, order="sorted")
