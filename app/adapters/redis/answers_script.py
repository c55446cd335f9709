"""The answer scripts, with values in and values out; contracts are on top of the Lua files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from app.adapters.redis.batch import Batch, Script

#: Every key of kept answers begins so; the index by meaning is over the hashes among them.
PREFIX: Final = "spillgate:answers:"
#: Answers that one call removes or lists: a millisecond or two of the server's time.
AT_ONCE: Final = 200
_MICROSECONDS: Final = 1e6


class Began(NamedTuple):
    """What the server says before an answer is kept: times in seconds, marks as it writes them."""

    now: float
    evicted_at: float  # 0: nothing was
    evicted: bytes
    generation: bytes


class Listed(NamedTuple):
    """A kept answer; `meta` is empty where it is not there any more."""

    fingerprint: str
    ends: str  # microseconds, as the server writes it
    size: int
    meta: bytes

    @property
    def expires_at(self) -> float:
        """Unix time."""
        return float(self.ends) / _MICROSECONDS


class Kept(StrEnum):
    """What became of an answer that was to be kept."""

    KEPT = "kept"
    AGAIN = "again"  # something was evicted since `begin`
    FULL = "full"


class Room(msgspec.Struct, frozen=True):
    """What the answers of one tenant may take: how many, and bytes."""

    answers: int
    size: int


class ToKeep(msgspec.Struct, frozen=True):
    """An answer: the fields of its hash, and for how long they are kept."""

    fingerprint: str  # hex
    ttl_s: float
    fields: Mapping[str, bytes | str]

    @property
    def size(self) -> int:
        """Bytes of all fields."""
        return sum(len(value) for value in self.fields.values())


def answers_key(tag: str) -> str:
    """The key that all of a tenant's answers are below; the hash tag keeps them on one node."""
    return f"{PREFIX}{{{tag}}}"


def key_of(tag: str, fingerprint: str) -> str:
    """The key of one answer."""
    return f"{answers_key(tag)}:entry:{fingerprint}"


class AnswersScript:
    """One method for each operation. All raise StoreUnavailable."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._find = Script("answers_find.lua")
        self._all = Script("answers.lua")

    async def find(self, tag: str, fingerprint: str) -> list[bytes | None] | None:
        """Meta and body, either None where it is missing; None where there is no answer."""
        found: list[bytes | None] | None = await self._batch.script(
            self._find, answers_key(tag), fingerprint
        )
        return found

    async def begin(self, tag: str) -> Began:
        """What `keep` has to be told."""
        now, evicted, generation = await self._call(tag, "begin")
        return Began(_seconds(now), _seconds(evicted), evicted, generation)

    async def keep(self, tag: str, began: Began, room: Room, kept: ToKeep) -> Kept:
        """Keep it, unless something was evicted since it began."""
        fields = [part for field in kept.fields.items() for part in field]
        said: bytes = await self._call(
            tag,
            "keep",
            began.evicted,
            began.generation,
            kept.fingerprint,
            _whole(kept.ttl_s * 1000),
            _whole(room.answers),
            _whole(room.size),
            _whole(kept.size),
            *fields,
        )
        return Kept(said.decode())

    async def evict(self, tag: str, fingerprints: Sequence[str]) -> int:
        """Remove up to AT_ONCE, and have nothing kept that was asked for before; how many."""
        return int(await self._call(tag, "evict", *fingerprints))

    async def clear(self, tag: str) -> tuple[int, bytes]:
        """Have none served any more; how many, and what `sweep` is to be called with."""
        count, trash = await self._call(tag, "clear")
        return int(count), trash

    async def sweep(self, tag: str, trash: bytes) -> int:
        """Remove some of what was cleared; how many are left."""
        return int(await self._call(tag, "sweep", trash, str(AT_ONCE)))

    async def list_before(self, tag: str, ends: str, most: int) -> list[Listed]:
        """Those that end before that, the last first; `+inf` is the beginning."""
        listed = await self._call(tag, "list", ends, str(most))
        return [
            Listed(fingerprint.decode(), end.decode(), int(size), meta)
            for fingerprint, end, size, meta in listed
        ]

    async def totals(self, tag: str) -> tuple[int, int]:
        """How many there are, and their bytes."""
        count, size = await self._call(tag, "totals")
        return int(count), int(float(size))

    async def _call(self, tag: str, operation: str, *args: bytes | str) -> Any:
        return await self._batch.script(self._all, answers_key(tag), operation, *args)


def _seconds(mark: bytes) -> float:
    """Of a time as the server writes it, negative in marks."""
    return abs(float(mark or 0)) / _MICROSECONDS


def _whole(number: float) -> str:
    return str(max(1, int(number)))
