"""The `spillgate` command as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEADLINE_S = 120.0


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
        until = time.monotonic() + DEADLINE_S
        with self._changed:
            while (found := re.search(pattern, self.output)) is None:
                left = until - time.monotonic()
                assert left > 0, f"never said {pattern!r}:\n{self.output}"
                self._changed.wait(left)
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Signal it and wait; seconds until it was gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        return time.monotonic() - began

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]  # a text pipe of Popen
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()


@contextmanager
def spillgate(*arguments: str, cwd: Path, **environment: str) -> Iterator[Spillgate]:
    """Start the command in `cwd`; whatever happens, it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.main", *arguments],
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Spillgate(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(DEADLINE_S)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
