"""The log of every change: read in parts, and checked as a whole."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.admin.guard import needs
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item, Page
from app.domain.audit import ChainEnd, verify_audit
from app.domain.directory import AuditRecord, EntryKind, Role

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
    action: str = Field(description="created, changed or deleted")
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


def add_audit_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""

    @router.get("/audit", openapi_extra=needs(Action.READ_AUDIT))
    async def read_audit(asked: Annotated[AuditQuery, Query()]) -> Page[AuditView]:
        """Changes, the oldest first."""
        found = await services.store.audit(asked.after, asked.limit + 1)
        part = found[: asked.limit]
        following = str(part[-1].number) if len(found) > len(part) else None
        return Page(data=[AuditView.of(record) for record in part], next=following)

    @router.get("/audit/verify", openapi_extra=needs(Action.READ_AUDIT))
    async def verify() -> Item[Verification]:
        """Read the whole log and say what of it was altered, dropped, inserted or cut off."""
        return Item(data=await _verified(services))


async def _verified(services: AdminServices) -> Verification:
    # Asked first: what is recorded meanwhile is behind this end, and no fault.
    told = await services.audit_end() if services.audit_end is not None else ChainEnd()
    faults: list[str] = []
    end, count, hashes = ChainEnd(), 0, dict[int, str]()
    while records := await services.store.audit(end.number, _AT_ONCE):
        faults += await asyncio.to_thread(verify_audit, records, end)
        count += len(records)
        hashes |= {record.number: record.hash for record in records if record.number == told.number}
        if records[-1].number <= end.number:
            break
        end = ChainEnd(records[-1].number, records[-1].hash)
    if told.number and hashes.get(told.number) != told.hash:
        faults.append(f"record {told.number}: was the last one, and is not there as it was")
    return Verification(
        records=count, faults=faults[:_FAULTS_SHOWN], last=end.number, hash=end.hash
    )
