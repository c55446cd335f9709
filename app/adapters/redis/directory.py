"""The directory in Redis, the whole of it in each worker's memory.

A worker reads everything once, then looks four times a second whether the version has changed.
Nothing that a request needs waits for Redis: while it is away the last state stays in force, and
when it has lost the directory the worker that remembers most writes it back.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

import structlog

from app.adapters.background import background
from app.adapters.redis.batch import Batch
from app.adapters.redis.directory_script import Cursor, DirectoryScript, Found, Known, Page
from app.domain.identity.audit import ChainEnd, Step, chained
from app.domain.identity.directory import (
    Actor,
    AuditRecord,
    Change,
    Directory,
    Entry,
    InForce,
    Role,
)
from app.domain.identity.directory_change import (
    Entries,
    Place,
    creation,
    directory_of,
    entries_of,
    place_of,
    steps_of,
    without_claimed_ids,
)
from app.errors import StoreUnavailable
from app.ports import Clock

POLL_S: Final = 0.25
#: How often a worker says what it has in force although nothing changed.
BEAT_S: Final = 1.0
#: How long a change waits until it is in force on all workers, and how often it looks.
IN_FORCE_WITHIN_S: Final = 2.0
_LOOK_S: Final = 0.02
#: How long a start waits for Redis before it goes on with the seeds alone.
BOOT_S: Final = 1.0
#: How long an end waits for it; who did not take leave is forgotten a little later.
_LEAVE_S: Final = 0.25
#: Changes of one step; the script's answers hold whole steps.
MOST_CHANGES: Final = 500
#: Other workers may change the directory while this one prepares its own change.
_ATTEMPTS: Final = 20
#: Failed looks in a row that are worth a line in the log.
_SILENT_LOOKS: Final = 20

CONFIG: Final = Actor("config", Role.OWNER)

#: What the configuration wants there to be, by the pepper that its keys' digests are made with.
Seeds = Callable[[bytes], Sequence[Entry]]
#: The steps of a change, by the entries as they are.
_Plan = Callable[[Entries], list[Step]]


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """Which directory, and what it begins with. `pepper` None is made once, in Redis."""

    worker: str = field(default_factory=lambda: uuid4().hex)
    name: str = "directory"
    pepper: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Current:
    """What is in force in this worker: the directory, and the pepper of its keys' digests."""

    directory: Directory
    pepper: bytes = field(repr=False)


class RedisDirectory:
    """A DirectoryStore; `async with` it."""

    def __init__(
        self, batch: Batch, clock: Clock, seeds: Seeds, options: DirectoryOptions | None = None
    ) -> None:
        """`seeds` are created where they are absent, and are all there is until Redis answers."""
        options = options or DirectoryOptions()
        self._clock = clock
        self._script = DirectoryScript(batch, options.worker, options.name)
        self._seeds = seeds
        self._fixed_pepper = options.pepper
        pepper = options.pepper or secrets.token_bytes(32)
        self._seeded = False
        self._put_in_force(Known(Directory()), pepper)
        self._beaten = 0.0
        self._failures = 0
        self._turn = asyncio.Lock()
        self._polling = AsyncExitStack()

    _known: Known
    """What was read from Redis."""
    in_force: Current
    """The same, and the seeds that are not in Redis yet; with the pepper of its digests."""
    current: Directory
    """The directory that is in force: each request asks for it several times."""

    async def change(self, changes: Sequence[Change], actor: Actor) -> InForce:
        """Make all of the changes in one step, or none; at most MOST_CHANGES.

        Raises ValueError for more, VersionConflict, and StoreUnavailable: it is then not known
        whether they were made.
        """
        if len(changes) > MOST_CHANGES:
            msg = f"at most {MOST_CHANGES} changes can be made in one step"
            raise ValueError(msg)
        async with self._turn:
            cursor = await self._commit(lambda entries: steps_of(entries, changes), actor)
        return await self._standing(cursor)

    async def audit(self, after: int, count: int) -> list[AuditRecord]:
        """At most `count` records from number `after` + 1 on. Raises StoreUnavailable."""
        return await self._script.audit(after, count)

    async def audit_end(self) -> ChainEnd:
        """The number and hash of the last record. Raises StoreUnavailable."""
        async with self._turn:
            await self._sync()
        return self._known.end

    async def seed(self, seeds: Seeds) -> None:
        """Have these seeds created where they are absent: now, or once Redis is back."""
        async with self._turn:
            self._seeds, self._seeded = seeds, False
            self._put_in_force(self._known, self.in_force.pepper)
            with suppress(StoreUnavailable):
                await self._follow()

    async def __aenter__(self) -> Self:
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(BOOT_S):
                await _persistently(self._look)
        polling = background("directory", self._keep_polling, pause_s=POLL_S)
        await self._polling.enter_async_context(polling)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._polling.aclose()
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._script.leave()

    # -- Following ------------------------------------------------------------------------------

    async def _keep_polling(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self._look()
            except StoreUnavailable as error:
                self._note_failure(error)
            else:
                self._note_success()

    async def _look(self) -> None:
        """See whether anything changed, in one read; if so, or if it is time to say so, sync."""
        known = self._known
        head = await self._script.head()
        unchanged = head == Cursor(known.generation, known.directory.version)
        if unchanged and self._seeded and self._clock.now() - self._beaten < BEAT_S:
            return
        async with self._turn:
            await self._follow()

    async def _follow(self) -> None:
        """Be as far as Redis is, and Redis as far as the seeds."""
        await self._sync()
        if not self._seeded:
            await self._create_seeds()
            self._seeded = True

    async def _sync(self) -> None:
        """Put in force what is in Redis, or write back what is remembered; then say so."""
        for _ in range(_ATTEMPTS):
            told = self._known
            page = await self._read()
            if page and page.found is Found.SAME and page.version == told.directory.version:
                self._beaten = self._clock.now()
                return
        raise StoreUnavailable("The directory changes faster than it can be read.")

    async def _read(self) -> Page | None:
        """Read once what there is; None where a generation was to be begun."""
        known = self._known
        page = await self._script.sync(known, Cursor(known.generation, known.directory.version))
        if page.found is Found.OTHER and known.generation:
            if await self._write_back():
                return None
        elif page.found in {Found.EMPTY, Found.LOST}:
            await self._write_back()
            return None
        entries = dict(entries_of(known.directory)) if page.found is Found.SAME else {}
        await self._read_on(entries, page)
        return page

    async def _read_on(self, entries: dict[Place, Entry], page: Page) -> None:
        """Read to the end, then put it in force all at once."""
        generation, known = page.generation, self._known
        _apply(entries, page)
        while page.upto < page.version:
            page = await self._script.sync(known, Cursor(generation, page.upto))
            if page.generation != generation:
                return  # begun anew in between: the next read sees
            _apply(entries, page)
        if (generation, page.version) == (known.generation, known.directory.version):
            return
        pepper = self.in_force.pepper
        if generation != known.generation:
            # Whoever began it without what this worker knew did not know its seeds either.
            self._seeded = self._seeded and page.origin == known.generation
            if self._fixed_pepper is None:
                pepper = await self._script.pepper(pepper)
        directory = directory_of(entries.values(), page.version)
        self._put_in_force(Known(directory, generation, page.end), pepper)

    def _put_in_force(self, known: Known, pepper: bytes) -> None:
        self._known = known
        directory = known.directory
        if not self._seeded:
            entries = entries_of(directory)
            seeds = _missing(self._seeds(pepper), entries)
            directory = directory_of([*seeds, *entries.values()], directory.version)
        self.in_force, self.current = Current(directory, pepper), directory

    async def _write_back(self) -> bool:
        """Begin a generation with what this worker knows; whether nobody was before it."""
        known = self._known
        pepper = self.in_force.pepper if known.generation and self._fixed_pepper is None else b""
        begun = await self._script.begin(uuid4().hex, known, pepper)
        if begun and known.generation:
            structlog.get_logger().warning(
                "directory_written_back",
                version=known.directory.version,
                tenants=len(known.directory.tenants),
                keys=len(known.directory.keys),
            )
        return begun

    # -- Changing -------------------------------------------------------------------------------

    async def _create_seeds(self) -> None:
        """Create what the configuration wants and is not there, as one change if it is few."""

        def absent(entries: Entries) -> list[Step]:
            wanted = self._seeds(self.in_force.pepper)
            missing = _missing(wanted, entries)
            return steps_of(entries, [creation(entry) for entry in missing[:MOST_CHANGES]])

        while absent(entries_of(self._known.directory)):
            await self._commit(absent, CONFIG)

    async def _commit(self, plan: _Plan, actor: Actor) -> Cursor:
        """Make a plan and carry it out on the state it was made for; the version that has it."""
        for _ in range(_ATTEMPTS):
            await self._sync()
            known = self._known
            steps = plan(entries_of(known.directory))
            if not steps:
                return Cursor(known.generation, known.directory.version)
            after: dict[Place, Entry | None] = {
                (step.change.kind, step.change.id): step.after for step in steps
            }
            records = list(chained(steps, known.end, actor=actor, at=self._clock.unix()))
            version = await self._script.change(known, after, records)
            if version is not None:
                with suppress(StoreUnavailable):  # it is made; the next look finds it
                    await self._sync()
                return Cursor(known.generation, version)
        raise StoreUnavailable("Others change the directory all the time; try again.")

    async def _standing(self, cursor: Cursor) -> InForce:
        """Wait until all live workers have it, at most IN_FORCE_WITHIN_S; on how many it is."""
        having, live = 0, 0
        ends = self._clock.now() + IN_FORCE_WITHIN_S
        while True:
            with suppress(StoreUnavailable):
                having, live = await self._script.standing(cursor)
            if 0 < live == having or self._clock.now() >= ends:
                return InForce(cursor.version, having, live)
            await asyncio.sleep(_LOOK_S)

    # -- Telling --------------------------------------------------------------------------------

    def _note_failure(self, error: StoreUnavailable) -> None:
        self._failures += 1
        if self._failures == _SILENT_LOOKS:
            cause = error.__cause__ or error
            structlog.get_logger().warning("directory_not_read", error=str(cause))

    def _note_success(self) -> None:
        if self._failures >= _SILENT_LOOKS:
            structlog.get_logger().info("directory_read_again")
        self._failures = 0


def _missing(wanted: Iterable[Entry], entries: Entries) -> list[Entry]:
    """Seeds that are not there; an Entra ID id that a tenant was given since stays with it."""
    absent = [entry for entry in wanted if place_of(entry) not in entries]
    return without_claimed_ids(absent, entries)


def _apply(entries: dict[Place, Entry], page: Page) -> None:
    for place, entry in (page.entries or {}).items():
        if entry is None:
            entries.pop(place, None)
        else:
            entries[place] = entry


async def _persistently(look: Callable[[], Awaitable[None]]) -> None:
    """Try until it succeeds; the caller says how long."""
    while True:
        with suppress(StoreUnavailable):
            return await look()
        await asyncio.sleep(POLL_S / 5)
