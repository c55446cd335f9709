"""Settlements on this machine's disk while Redis does not take them: no killed worker loses them.

Each worker appends to a file of its own, which it keeps locked: a file that can be locked was left
behind by a worker that is gone. Lines are checksummed as the archive's are.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from app.adapters.appending import append
from app.adapters.archive.line import Damaged, sealed, unsealed
from app.adapters.archive.segment import sync_directory
from app.adapters.redis.account import Settlement
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import SPILLED
from app.domain.quota.reservation import Amounts, Ask, Charge, Part, Reservation

#: Of the files' names. Versions that know nothing of leases look for the older one, and would take
#: their parts for settled.
SUFFIX: Final = ".spool"
_OLDER: Final = ".jsonl"
#: Of one worker's file: some 50,000 settlements.
MOST_BYTES: Final = 64 << 20

Tenanted = tuple[str, Settlement]

_NOTHING: Final = Amounts()


class _Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a reservation, what settling it takes."""

    id: str
    generation: str
    scopes: tuple[str, ...]  # that are charged
    day: CalendarWindow
    month: CalendarWindow
    hour: CalendarWindow | None = None
    part: Part | None = None  # of a lease; then also what it has of that, and since when
    held: Amounts = _NOTHING
    at_ms: int = 0


class Spooled(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line; `at` is when it was written, Unix seconds."""

    tenant: str
    at: float
    row: str
    actual: Amounts
    hold: _Hold | None = None
    sent: float | None = None

    @property
    def settlement(self) -> Settlement:
        """What is to be settled, as far as settling needs it."""
        row, hold = self.row.encode(), self.hold
        if hold is None:
            return Settlement(None, Charge(self.actual, row), self.sent)
        charge = Charge(self.actual, row, spilled=SPILLED in hold.scopes)
        ask = Ask(hold.id, self.tenant, hold.scopes, hold.held, (), (), ())
        kept = Reservation(ask, hold.generation, hold.day, hold.month, hour=hold.hour)
        if hold.part is not None:
            kept = replace(kept, part=hold.part, at_ms=hold.at_ms)
        return Settlement(kept, charge)


_DECODER: Final = msgspec.json.Decoder(Spooled)


class Spool:
    """One worker's file, made when it is first needed. Blocks: call it off the event loop.

    `refused_total` counts what found no place.
    """

    def __init__(self, directory: Path, worker: str, *, most_bytes: int = MOST_BYTES) -> None:
        """`worker` names the file, unlike every other worker's."""
        self._directory = directory
        self._path = directory / f"{worker}{SUFFIX}"
        self._most_bytes = most_bytes
        self._file = -1
        self._size = 0
        self._turn = Lock()  # a thread may still write when its caller was cancelled
        self.refused_total = 0

    def append(self, settlements: Iterable[Tenanted], at: float) -> int:
        """Write them durably; how many found no place. Raises OSError."""
        lines = [_line(tenant, settlement, at) for tenant, settlement in settlements]
        with self._turn:
            room = self._most_bytes - self._size
            fitting: list[bytes] = []
            for line in lines:
                room -= len(line)
                if room < 0:
                    break
                fitting.append(line)
            self._write(b"".join(fitting))
            refused = len(lines) - len(fitting)
            self.refused_total += refused
        return refused

    def clear(self) -> None:
        """Forget everything: Redis has it. The file goes, until it is needed. Raises OSError."""
        with self._turn:
            if self._file >= 0:
                self._path.unlink(missing_ok=True)
                self._let_go()

    def close(self) -> None:
        """Let go of the file; one that holds nothing is removed."""
        with self._turn:
            if self._file < 0:
                return
            if not self._size:
                self._path.unlink(missing_ok=True)
            self._let_go()

    def _let_go(self) -> None:
        os.close(self._file)
        self._file, self._size = -1, 0

    def _write(self, data: bytes) -> None:
        if not data:
            return
        if self._file < 0:
            self._file = _made(self._path)
        try:
            append(self._file, data, self._path)
        except OSError:
            os.ftruncate(self._file, self._size)  # no half a line before the next one
            raise
        self._size += len(data)


def _made(path: Path) -> int:
    """A descriptor of a new file, locked before it has the name that others look for."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unnamed = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
    descriptor = os.open(unnamed, flags, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(path)
    sync_directory(path.parent)
    return descriptor


def _line(tenant: str, settlement: Settlement, at: float) -> bytes:
    charge, hold = settlement.charge, None
    if (given := settlement.reservation) is not None:
        scopes = given.scopes_charged(spilled=charge.spilled)
        hold = _Hold(given.ask.id, given.generation, scopes, given.day, given.month, given.hour)
        if given.part is not None:
            amounts = given.ask.amounts
            hold = replace(hold, part=given.part, held=amounts, at_ms=given.at_ms)
    row = charge.row.decode("utf-8", "replace")  # what is no text is refused in any case
    spooled = Spooled(tenant, at, row, charge.actual, hold, settlement.sent)
    return sealed(msgspec.json.encode(spooled)[1:])


@dataclass(slots=True)
class Leftover:
    """The file of a worker that is gone, locked until it is closed."""

    path: Path
    damaged: int = 0

    def lines(self) -> Iterator[Spooled]:
        """What can be trusted; of the rest all is told but a last line that was never finished."""
        self.damaged = 0
        with self.path.open("rb") as file:
            for number, data in enumerate(file, 1):
                try:
                    yield _DECODER.decode(unsealed(data))
                except (Damaged, msgspec.MsgspecError, UnicodeDecodeError) as error:
                    if data.endswith(b"\n"):
                        self._tell(number, error)

    def remove(self) -> None:
        """All of it is settled; one with damaged lines is put aside for whoever looks after it."""
        if self.damaged:
            self.path.rename(self.path.with_suffix(".damaged"))
        else:
            self.path.unlink(missing_ok=True)

    def _tell(self, line: int, error: Exception) -> None:
        self.damaged += 1
        log = structlog.get_logger()
        log.error("spool_damaged", file=str(self.path), line=line, problem=str(error))


def leftovers(directory: Path) -> Iterator[Leftover]:
    """Files of workers that are gone, one after the other, each locked while it is looked at."""
    for path in sorted(each for each in directory.glob("*") if each.suffix in {SUFFIX, _OLDER}):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue  # somebody else settled it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # its worker lives
        else:
            if os.fstat(descriptor).st_nlink:
                yield Leftover(path)
        finally:
            os.close(descriptor)
