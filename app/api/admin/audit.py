"""The log of every change: read in parts, and checked as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from math import inf
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.ledger_readers import LedgerReaders
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item, Page
from app.domain.identity.audit import ChainEnd, verify_audit
from app.domain.identity.directory import AuditRecord, EntryKind, Role
from app.errors import SpillgateError

_AT_ONCE: Final = 500
_FAULTS_SHOWN: Final = 100


class AuditQuery(Body):
    """Which part of the log."""

    after: int = Field(0, ge=0, description="`next` of the part before")
    limit: int = Field(100, ge=1, le=1000)


class AuditView(BaseModel):
    """One change. Hashes are SHA-256, hexadecimal; `previous` chains the records."""

    number: int
    at: float
    actor: str
    role: Role
    request_id: str
    kind: EntryKind
    id: str
    action: str = Field(
        description="created, changed or deleted; and `, trace_content on` where that was changed"
    )
    before: str = Field(description="hash of the entry before, empty where there was none")
    after: str
    previous: str
    hash: str

    @classmethod
    def of(cls, record: AuditRecord) -> AuditView:
        """As it is shown."""
        return cls(**{each.name: getattr(record, each.name) for each in fields(AuditRecord)})


class Verification(BaseModel):
    """Whether the log is whole; at most 100 faults are told."""

    records: int
    faults: list[str]
    last: int = Field(description="the last record's number, to be compared with a copy's")
    hash: str = Field(description="the last record's hash")
    archived: int = Field(description="records in the copy beside the ledger's archive")


def add_audit_routes(router: APIRouter, services: AdminServices, readers: LedgerReaders) -> None:
    """Put them on the router. The log's copy is as long as a ledger: its readers are bounded."""

    @router.get("/audit", openapi_extra=needs(Action.READ_AUDIT))
    async def read_audit(
        caller: CallerOf, asked: Annotated[AuditQuery, Query()]
    ) -> Page[AuditView]:
        """Changes, the oldest first; those that the store has lost are read from the copy."""
        async with readers.place(caller):
            found = await _records(services, asked.after, asked.limit + 1)
        part = found[: asked.limit]
        following = str(part[-1].number) if len(found) > len(part) else None
        return Page(data=[AuditView.of(record) for record in part], next=following)

    @router.get("/audit/verify", openapi_extra=needs(Action.READ_AUDIT))
    async def verify(caller: CallerOf) -> Item[Verification]:
        """Read the whole log and say what of it was altered, dropped, inserted or cut off.

        It is compared with its copy beside the ledger's archive, which may be half a second behind.
        """
        async with readers.place(caller):
            return Item(data=await _verified(services))


async def _records(services: AdminServices, after: int, count: int) -> list[AuditRecord]:
    """At most so many records from number `after` + 1 on, of the store and the copy together."""
    found = await services.store.audit(after, count)
    if found and found[0].number == after + 1:
        return found
    if not found and services.audit_end and after >= (await services.audit_end()).number:
        return []  # nothing new, and no reason to read the copy
    upto = found[0].number if found else inf

    def archived() -> list[AuditRecord]:
        missing = (record for record in _copy(services) if after < record.number < upto)
        return list(islice(missing, count))

    return [*await asyncio.to_thread(archived), *found][:count]


def _copy(services: AdminServices) -> Iterator[AuditRecord]:
    try:
        yield from services.audit_copy()
    except Exception as error:
        raise SpillgateError("The audit log's copy cannot be read.") from error


def _copied(services: AdminServices) -> tuple[dict[int, str], list[str]]:
    """Hashes in the copy by number, and what is wrong with it."""
    records = list(_copy(services))
    faults = [f"the copy's {fault}" for fault in verify_audit(records)]
    return {record.number: record.hash for record in records}, faults


async def _verified(services: AdminServices) -> Verification:
    # Asked first: what is recorded meanwhile is behind this end, and no fault.
    told = await services.audit_end() if services.audit_end is not None else ChainEnd()
    copied, faults = await asyncio.to_thread(_copied, services)
    end, count, hashes = ChainEnd(), 0, dict[int, str]()
    while records := await _records(services, end.number, _AT_ONCE):
        faults += await asyncio.to_thread(verify_audit, records, end)
        faults += [
            f"record {record.number}: is another one in the copy"
            for record in records
            if copied.get(record.number, record.hash) != record.hash
        ]
        count += len(records)
        hashes |= {record.number: record.hash for record in records if record.number == told.number}
        if records[-1].number <= end.number:
            break
        end = ChainEnd(records[-1].number, records[-1].hash)
    if told.number and hashes.get(told.number) != told.hash:
        faults.append(f"record {told.number}: was the last one, and is not there as it was")
    if (last := max(copied, default=0)) > end.number:
        faults.append(f"record {last}: is in the copy alone, as others after {end.number} may be")
    return Verification(
        records=count,
        faults=faults[:_FAULTS_SHOWN],
        last=end.number,
        hash=end.hash,
        archived=len(copied),
    )
