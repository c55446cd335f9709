"""A worker that counts what its standard input says: `python worker.py SOCKET`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from app.adapters.clock import SystemClock
from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.families import IN_FLIGHT, WORKERS
from app.adapters.metrics.snapshots import telling
from tests.fakes.receipts import served


async def main(path: Path) -> None:
    """Each line is a number of requests to count; the end of lines ends it."""
    metrics = Metrics(10, SystemClock())
    metrics.readings.add(WORKERS, lambda: {(): 1.0})
    metrics.readings.add(IN_FLIGHT, lambda: {(): 5.0})
    async with telling(path, metrics.openmetrics):
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            for _ in range(int(line)):
                metrics.receipts.observe(served())
            say("counted")


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
