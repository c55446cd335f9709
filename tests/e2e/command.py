"""The `spillgate` command as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

DEADLINE_S = 120.0
_Found = TypeVar("_Found")


class Spillgate:
    """A running command; its output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def output(self) -> str:
        """All that it has said so far."""
        return "".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches; fail with what it was when it never does."""
        return self._wait(lambda: re.search(pattern, self.output), pattern)

    def logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for a line of the log of this event, or one that begins so, with these fields."""

        def found() -> dict[str, Any] | None:
            lines = (json.loads(line) for line in self.lines if line.startswith("{"))
            return next((each for each in lines if fits(each)), None)

        def fits(line: dict[str, Any]) -> bool:
            said = str(line.get("event", ""))
            return said.startswith(event) and fields.items() <= line.items()

        return self._wait(found, f"{event} {fields}")

    def _wait(self, found: Callable[[], _Found | None], wanted: str) -> _Found:
        until = time.monotonic() + DEADLINE_S
        with self._changed:
            while (it := found()) is None:
                left = until - time.monotonic()
                may_come = left > 0 and any(reader.is_alive() for reader in self._readers)
                assert may_come, f"never said {wanted!r}:\n{self.output}"
                self._changed.wait(min(left, 1.0))
        return it

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Signal it and wait; seconds until it was gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.wait()
        return time.monotonic() - began

    def wait(self) -> int:
        """Its exit code, once it has ended by itself and all that it said is read."""
        code = self.process.wait(DEADLINE_S)
        self.read_to_the_end()
        return code

    def read_to_the_end(self) -> None:
        """What it said last; nobody reads from a pipe that is closed then."""
        for reader in self._readers:
            reader.join(DEADLINE_S)

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]  # a text pipe of Popen
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()


@contextmanager
def spillgate(
    *arguments: str, cwd: Path, module: str = "app.main", **environment: str
) -> Iterator[Spillgate]:
    """Start the command in `cwd`; whatever happens, it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Spillgate(process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(DEADLINE_S)
        running.read_to_the_end()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
