"""The directory script, values in and values out; its contract is on top of `directory.lua`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
import structlog

from app.adapters.redis.batch import Batch, Script
from app.adapters.redis.directory_beyond import Beyond
from app.domain.identity.audit import ChainEnd
from app.domain.identity.directory import (
    AdminEntry,
    AuditRecord,
    CacheEntry,
    DeploymentEntry,
    Directory,
    Entry,
    EntryKind,
    KeyEntry,
    LogsEntry,
    TenantEntry,
)
from app.domain.identity.directory_change import Place, entries_of

#: The end of an audit log that nothing is in.
NO_RECORDS: Final = ChainEnd()

_TYPES: Final[Mapping[EntryKind, type[Entry]]] = {
    EntryKind.TENANT: TenantEntry,
    EntryKind.KEY: KeyEntry,
    EntryKind.ADMIN: AdminEntry,
    EntryKind.DEPLOYMENT: DeploymentEntry,
    EntryKind.CACHE: CacheEntry,
    EntryKind.LOGS: LogsEntry,
}


class Found(StrEnum):
    """What there is in Redis, compared with what a worker knows."""

    SAME = "same"  # the same generation, as far on or further
    OTHER = "other"  # another generation
    EMPTY = "empty"  # nothing
    LOST = "lost"  # the same generation, not as far


class Known(msgspec.Struct, frozen=True):
    """A directory as a worker knows it: its state, its generation, and its audit log's end.

    The generation is empty while nothing was read.
    """

    directory: Directory
    generation: str = ""
    end: ChainEnd = NO_RECORDS


class Cursor(msgspec.Struct, frozen=True):
    """How far a worker has read."""

    generation: str
    version: int


class Page(msgspec.Struct, frozen=True):
    """An answer to `sync`; entries None were deleted. It is the last one if `upto` is `version`.

    `origin` is the generation that this one continues, empty for none.
    """

    found: Found
    generation: str = ""
    version: int = 0
    origin: str = ""
    end: ChainEnd = NO_RECORDS
    upto: int = 0
    entries: Mapping[Place, Entry | None] | None = None


class DirectoryScript:
    """One method for each operation. All raise StoreUnavailable."""

    def __init__(self, batch: Batch, worker: str, name: str = "directory") -> None:
        """`worker` is unlike every other's; `name` tells directories apart."""
        self._beyond = Beyond(_TYPES)
        self._batch = batch
        self._script = Script("directory.lua")
        self._worker = worker
        self._key = f"spillgate:{{{name}}}"

    async def head(self) -> Cursor | None:
        """Which state there is, in one read; None where there is nothing."""
        command = ("HMGET", f"{self._key}:head", "generation", "version")
        generation, version = await self._batch.call(command)
        return Cursor(generation.decode(), int(version)) if generation else None

    async def sync(self, known: Known, cursor: Cursor) -> Page:
        """What changed after `cursor`; it is noted that this worker has `known` in force."""
        answer = await self._run(
            "sync",
            {
                "worker": self._worker,
                "generation": known.generation,
                "version": known.directory.version,
                "reading": cursor.generation,
                "after": cursor.version,
            },
        )
        found = Found(answer[0].decode())
        if found in {Found.EMPTY, Found.LOST}:
            return Page(found)
        _, generation, version, origin, number, digest, upto, places, values = answer
        self._beyond.note(places, values)
        return Page(
            found=found,
            generation=generation.decode(),
            version=int(version),
            origin=origin.decode(),
            end=ChainEnd(int(number), digest.decode()),
            upto=int(upto),
            entries=entries_in(places, values),
        )

    async def change(
        self,
        known: Known,
        entries: Mapping[Place, Entry | None],
        records: Sequence[AuditRecord],
    ) -> int | None:
        """Write them if Redis has exactly the state `known`; its next version, else None."""
        last = records[-1]
        answer = await self._run(
            "change",
            {
                "generation": known.generation,
                "version": known.directory.version,
                "entries": self._beyond.packed(entries.items()),
                "records": [msgspec.json.encode(record).decode() for record in records],
                "number": last.number,
                "hash": last.hash,
            },
        )
        if answer[0] != b"changed":
            return None
        self._beyond.forget(place for place, entry in entries.items() if entry is None)
        return int(answer[1])

    async def begin(self, generation: str, known: Known, pepper: bytes) -> bool:
        """Begin a generation from what is known, which may be nothing; whether it was let.

        An empty pepper leaves what is there.
        """
        remembered = known.generation != ""
        entries = entries_of(known.directory) if remembered else {}
        answer = await self._run(
            "begin",
            {
                "generation": generation,
                "origin": known.generation,
                "version": known.directory.version,
                "entries": self._beyond.packed(entries.items()),
                "number": known.end.number,
                "hash": known.end.hash,
            },
            pepper,
        )
        return bool(answer[0] == b"begun")

    async def standing(self, cursor: Cursor) -> tuple[int, int]:
        """On how many workers that version is in force, and how many are alive."""
        asked = {"generation": cursor.generation, "version": cursor.version}
        having, live = await self._run("standing", asked)
        return int(having), int(live)

    async def leave(self) -> None:
        """Say that this worker ends."""
        await self._run("leave", {"worker": self._worker})

    async def pepper(self, proposed: bytes) -> bytes:
        """The pepper that is kept; `proposed` where there was none."""
        key = f"{self._key}:pepper"
        await self._batch.call(("SET", key, proposed, "NX"))
        kept: bytes | None = await self._batch.call(("GET", key))
        return kept or proposed

    async def audit(self, after: int, count: int) -> list[AuditRecord]:
        """At most `count` records from number `after` + 1 on."""
        command = ("XRANGE", f"{self._key}:audit", f"{after + 1}-0", "+", "COUNT", count)
        found = await self._batch.call(command)
        return [msgspec.json.decode(_field(fields), type=AuditRecord) for _, fields in found]

    async def _run(
        self,
        operation: str,
        given: Mapping[str, object],
        pepper: bytes = b"",
    ) -> list[Any]:
        answer: list[Any] = await self._batch.script(
            self._script,
            self._key,
            operation,
            msgspec.json.encode(given),
            pepper,
        )
        return answer


def entries_in(
    places: Sequence[bytes], values: Sequence[bytes | None]
) -> dict[Place, Entry | None]:
    """Entries that cannot be read are left out: what a worker has of them stays in force."""
    found: dict[Place, Entry | None] = {}
    for place, value in zip(places, values, strict=True):
        kind, _, name = place.decode(errors="replace").partition(":")
        try:
            form = _TYPES[EntryKind(kind)]
            entry = msgspec.json.decode(value, type=form) if value is not None else None
            found[EntryKind(kind), name] = entry
        except (ValueError, msgspec.MsgspecError):
            structlog.get_logger().error("directory_entry_unreadable", entry=f"{kind}:{name}")
    return found


def _field(fields: Any) -> bytes:
    """The value of a stream entry's only field, in either protocol's form."""
    pairs: Sequence[bytes] = fields if isinstance(fields, list) else list(*fields.items())
    return pairs[1]
