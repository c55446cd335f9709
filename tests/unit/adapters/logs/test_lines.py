from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.adapters.logs.lines import Lines

#: Longer than any machine is busy.
DEADLINE_S = 60.0


class Pipe:
    """Standard error as somebody reads it, or does not."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        fcntl.fcntl(self.into, fcntl.F_SETPIPE_SZ, 4096)

    def fill(self) -> None:
        """Leave no room."""
        os.set_blocking(self.into, False)
        try:
            while os.write(self.into, b"." * 4095 + b"\n"):
                pass
        except BlockingIOError:
            os.set_blocking(self.into, True)

    def read(self, until: bytes = b"") -> list[str]:
        """Lines up to one that holds this."""
        read = b""
        while not (read.endswith(b"\n") and until in read):
            read += os.read(self.out, 65536)
        return [line for line in read.decode().splitlines() if line.strip(".")]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for descriptor in (pipe.out, pipe.into):
        with suppress(OSError):  # a test closed it
            os.close(descriptor)


def eventually(holds: Callable[[], Any]) -> None:
    ends = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_lines_are_written_in_order(pipe: Pipe) -> None:
    """By a thread, soon, each whole."""
    lines = Lines(pipe.into)
    for number in range(50):
        lines.info(f"line {number}")
    assert pipe.read(b"line 49") == [f"line {number}" for number in range(50)]
    lines.close()
    assert lines.dropped_total == 0


@pytest.mark.usefixtures("has_policies")
def test_they_are_written_behind_requests_until_the_end(pipe: Pipe) -> None:
    """Nobody waits for a line before."""
    before = set(threading.enumerate())
    lines = Lines(pipe.into)
    lines.info("the first")
    assert pipe.read(b"first") == ["the first"]
    (writer,) = (each for each in set(threading.enumerate()) - before if each.name == "logs")
    assert os.sched_getscheduler(writer.native_id or 0) == os.SCHED_BATCH
    pipe.fill()
    lines.info("the last")
    lines.close(limit_s=0.01)  # it cannot write
    assert os.sched_getscheduler(writer.native_id or 0) == os.SCHED_OTHER
    pipe.read(b"last")


def test_a_log_that_nobody_reads_stops_nobody(pipe: Pipe) -> None:
    """What does not fit is counted; read again, the log says how much is missing."""
    pipe.fill()
    lines = Lines(pipe.into, most_waiting=10_000)
    for number in range(100_000):  # would wait for ever, were it written here
        lines.info(f"line {number:06}")
    assert lines.dropped_total > 90_000

    dropped, told, kept = lines.dropped_total, 0, list[str]()
    while told < dropped:
        for line in pipe.read():
            if line.startswith("{"):
                told += json.loads(line)["count"]
            else:
                kept.append(line)
    assert told == dropped
    assert len(kept) == 100_000 - dropped
    assert kept[0] == "line 000000"
    lines.info("the next")
    assert pipe.read(b"the next") == ["the next"]
    lines.close()


def test_of_lines_that_come_together_those_are_kept_that_fit(pipe: Pipe) -> None:
    """The others are counted, as they would be one by one."""
    pipe.fill()
    lines = Lines(pipe.into, most_waiting=110)
    lines.write(b"taken by the thread")
    lines.write_all(b"a" * 40 + b"\n" + b"b" * 40 + b"\n")
    lines.write_all(b"c\n" + b"d" * 101 + b"\n")
    assert lines.dropped_total >= 1
    pipe.read(b"a" * 40 + b"\n" + b"b" * 40)
    lines.close()


def test_the_last_lines_are_written_before_the_end(pipe: Pipe) -> None:
    """Those that waited when it was told to end; what comes later is counted."""
    lines = Lines(pipe.into)
    for number in range(10):
        lines.info(f"line {number}")
    lines.close()
    lines.info("too late")

    assert pipe.read(b"line 9") == [f"line {number}" for number in range(10)]
    assert lines.dropped_total == 1


def test_an_end_does_not_wait_for_who_does_not_read(pipe: Pipe) -> None:
    """It gives up, and the lines."""
    pipe.fill()
    lines = Lines(pipe.into)
    lines.info("nobody will read it")
    lines.close(limit_s=0.1)


def test_a_reader_that_is_gone_is_no_failure(pipe: Pipe) -> None:
    """The lines are lost and counted; nobody is told, for there is nobody."""
    os.close(pipe.out)
    lines = Lines(pipe.into)
    lines.info("one")
    eventually(lambda: lines.dropped_total == 1)
    lines.info("two")
    eventually(lambda: lines.dropped_total == 2)
    lines.write_all(b"three\nfour\nfive\n")
    eventually(lambda: lines.dropped_total == 5)
    lines.close()
    lines.write_all(b"six\nseven\n")
    assert lines.dropped_total == 7


def test_a_descriptor_that_does_not_wait_is_waited_for(pipe: Pipe) -> None:
    """Whoever shares it may have made it non-blocking: that loses nothing."""
    pipe.fill()
    os.set_blocking(pipe.into, False)
    lines = Lines(pipe.into)
    lines.info("a line")
    assert pipe.read(b"a line") == ["a line"]
    lines.close()
    assert lines.dropped_total == 0


def test_a_line_that_is_longer_than_a_pipe_is_whole(pipe: Pipe) -> None:
    """A traceback may be."""
    lines = Lines(pipe.into)
    lines.info("a" * 20_000)
    lines.info("end")
    assert pipe.read(b"end") == ["a" * 20_000, "end"]
    lines.close()


def test_long_lines_of_several_writers_are_whole(pipe: Pipe, tmp_path: Path) -> None:
    """No pipe takes them in one piece: writers take turns."""
    letters, count = "ab", 20
    writers = [Lines(pipe.into) for _ in letters]
    for lines, letter in zip(writers, letters, strict=True):
        lines.take_turns(tmp_path / "turns")
        for _ in range(count):
            lines.write(letter * 10_000)
    found: list[str] = []
    while len(found) < len(letters) * count:
        found += pipe.read()
    assert sorted(found) == sorted(letter * 10_000 for letter in letters for _ in range(count))
    for lines in writers:
        lines.close(DEADLINE_S)
