"""Lines written by a thread of their own: a log that nobody reads must not stop a gateway.

Whoever reads standard error through a pipe may stop reading; the pipe then takes 64 KiB, and the
next write waits for ever. Here it is this thread that waits. Lines gather behind it up to a bound;
those that come above it are dropped and counted, and a line says how many once it goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.adapters.pace import behind_requests, no_longer_behind

#: Lines that wait, in characters: two thousand requests a second for three seconds.
MOST_WAITING: Final = 4 * 1024 * 1024
#: At the end: for what still waits.
LAST_S: Final = 1.0
#: Written at once, whoever else writes here waiting for their turn: the fewer writes, the less
#: often their thread takes the interpreter from the event loop.
_PIECE: Final = 64 * 1024


class Lines:
    """A structlog logger factory's product; lines are text without their end.

    The thread begins with the first line. A process that forks configures its logs afterwards.
    """

    def __init__(self, descriptor: int, *, most_waiting: int = MOST_WAITING) -> None:
        """`descriptor` is written to as it is; the caller keeps it open."""
        self._descriptor = descriptor
        self._most = most_waiting
        self._waiting: deque[bytes] = deque()  # each one line or several, with their ends
        self._size = 0
        self._untold = 0
        self.dropped_total = 0
        self._lock = threading.Lock()
        #: Held by the thread while it has nothing to write, and let go of by who has. An Event
        #: does the same in ten times as many steps.
        self._news = threading.Lock()
        self._news.acquire()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._turns: int | None = None

    def take_turns(self, turns: Path) -> None:
        """Lock this file while writing: a long line is no single piece for a pipe.

        Each process opens it for itself, which makes the lock its own.
        """
        self._turns = os.open(turns, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, line: str | bytes) -> None:
        """Have it written soon, or dropped where too many wait."""
        data = line if isinstance(line, bytes) else line.encode("ascii", "backslashreplace")
        written = data + b"\n"
        with self._lock:
            size = self._size + len(written)
            if size > self._most or self._ending:
                self._note_dropped(1)
                return
            if not self._waiting:
                self._wake()
            self._waiting.append(written)
            self._size = size

    def write_all(self, lines: bytes) -> None:
        """Have lines written soon, each with its end; together where there is room for all."""
        with self._lock:
            size = self._size + len(lines)
            if size <= self._most and not self._ending:
                if not self._waiting:
                    self._wake()
                self._waiting.append(lines)
                self._size = size
                return
        for line in lines.splitlines():
            self.write(line)

    debug = info = warning = error = critical = write
    """As structlog calls it."""

    def close(self, limit_s: float = LAST_S) -> None:
        """Write what waits, for at most so many seconds; what is left then is dropped."""
        with self._lock:
            self._ending = True
            if self._thread is not None:
                self._wake()
        if self._thread is not None:
            no_longer_behind(self._thread.native_id or 0)
            self._thread.join(limit_s)
        with self._lock:
            self._note_dropped(_count(self._waiting))
            self._waiting.clear()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
            self._thread.start()
        if self._news.locked():
            self._news.release()

    def _run(self) -> None:
        behind_requests()
        while not self._ending:
            self._news.acquire()
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        with self._lock:
            lines, self._waiting, self._size = self._waiting, deque(), 0
            untold, self._untold = self._untold, 0
        for count, piece in _pieces(lines):
            if not self._is_whole(piece):
                with self._lock:
                    self._note_dropped(count)
        if untold and not self._is_whole(_dropped(untold)):
            with self._lock:
                self._untold += untold

    def _is_whole(self, piece: bytes) -> bool:
        """Whether it was written with nobody else's words in it."""
        if self._turns is None:
            return self._is_written(piece)
        fcntl.flock(self._turns, fcntl.LOCK_EX)
        try:
            return self._is_written(piece)
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)

    def _is_written(self, piece: bytes) -> bool:
        """Whether it could be: the reader may be gone for good, or the disk full."""
        left = memoryview(piece)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody else has made it so
                select.select([], [self._descriptor], [])
            except OSError:
                return False
        return True

    def _note_dropped(self, count: int) -> None:
        self.dropped_total += count
        self._untold += count


class DirectLines:
    """Lines written at once, to a stream in memory or one without a descriptor."""

    dropped_total = 0

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, line: str | bytes) -> None:
        """Write it."""
        self._write(f"{line.decode() if isinstance(line, bytes) else line}\n")

    def write_all(self, lines: bytes) -> None:
        """Write several, which have their ends."""
        self._write(lines.decode())

    debug = info = warning = error = critical = write

    def take_turns(self, turns: Path) -> None:
        """Nobody else writes here."""

    def close(self) -> None:
        """Nothing waits."""


def lines_to(stream: object) -> Lines | DirectLines:
    """Lines to a text stream: by a thread where it has a descriptor, at once where it has none."""
    with suppress(AttributeError, OSError):
        return Lines(stream.fileno())  # type: ignore[attr-defined]  # that is what is tried
    return DirectLines(stream.write)  # type: ignore[attr-defined]  # any text stream's


def _pieces(waiting: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """What came together, in pieces of such a size or of what came at once; with their lines."""
    part: list[bytes] = []
    size = 0
    for lines in waiting:
        if part and size + len(lines) > _PIECE:
            yield _count(part), b"".join(part)
            part, size = [], 0
        part.append(lines)
        size += len(lines)
    if part:
        yield _count(part), b"".join(part)


def _count(part: Iterable[bytes]) -> int:
    return sum(lines.count(b"\n") for lines in part)


def _dropped(count: int) -> bytes:
    time = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    event = {"count": count, "event": "log_lines_dropped", "level": "warning", "time": time}
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"
