"""Whole answers, asked for when they are due or one after the other."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque

from loadtest.bench.driver_connection import Connection
from loadtest.bench.driver_spec import AnswersFound, Arriving, Spec
from loadtest.bench.precise_timer import PreciseTimer
from loadtest.bench.quantiles import quantile

#: Those that were begun end within it.
_SLACK_S = 60.0
#: And a number of them within this.
_LONGEST_S = 180.0


class Answers:
    """All kinds of arriving requests of a load, at once."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    async def run(self) -> list[Kind]:
        """Until what was begun is answered."""
        kinds = [
            Kind(each, random.Random(self._spec.seed + number))  # noqa: S311  # repeatable
            for number, each in enumerate(self._spec.arriving)
        ]
        for kind in kinds:
            await kind.open()
        await asyncio.gather(*(each.run(self._spec.seconds) for each in kinds))
        return kinds


class Kind:
    """One kind: its connections, what is due and waits, and what came of it."""

    def __init__(self, arriving: Arriving, chance: random.Random) -> None:
        self._request = arriving.asked.as_bytes()
        self._per_s = arriving.per_s
        self._counted = arriving.requests > 0
        self._left = arriving.requests
        self._chance = chance
        self._connections = [
            Connection(self, arriving.asked.port) for _ in range(arriving.connections)
        ]
        self._idle: deque[Connection] = deque(self._connections)
        self._due: deque[float] = deque()
        self._began: dict[Connection, float] = {}
        self._times: list[float] = []
        self._failed = 0
        self._closing = False
        self._done = asyncio.Event()

    async def open(self) -> None:
        """Connect them all."""
        for each in self._connections:
            await each.open()

    async def run(self, seconds: float) -> None:
        """Have requests begin for so long, and wait until all have ended."""
        self._from = time.monotonic()
        self._until = self._from + seconds
        if self._per_s:
            await self._arrive()
        else:
            for _ in self._connections:
                self._follow(self._from)
            self._send()
            await asyncio.sleep(0 if self._counted else seconds)
        self._closing = True
        self._look_whether_done()
        async with asyncio.timeout(_LONGEST_S if self._counted else _SLACK_S):
            await self._done.wait()
        self._to = time.monotonic()
        for each in self._connections:
            each.close()

    def found(self) -> AnswersFound:
        """Milliseconds."""
        times = self._times
        return AnswersFound(
            answered=len(times),
            failed=self._failed,
            seconds=self._to - self._from,
            p50=quantile(times, 0.5) * 1e3,
            p99=quantile(times, 0.99) * 1e3,
            slowest=max(times, default=0.0) * 1e3,
        )

    def part(self, connection: Connection, body: bytes) -> None:
        """Nothing is done with it."""

    def ended(self, connection: Connection, *, ok: bool) -> None:
        """It is free for the next one that is due."""
        now, due = time.monotonic(), self._began.pop(connection)
        if ok:
            self._times.append(now - due)
        else:
            self._failed += 1
        if connection.is_open:
            self._idle.append(connection)
        if not self._per_s:
            self._follow(now)
        self._send()
        self._look_whether_done()

    def _follow(self, now: float) -> None:
        """Have another one, where there is to be one."""
        if self._left > 0 if self._counted else now < self._until:
            self._left -= 1
            self._due.append(now)

    async def _arrive(self) -> None:
        with PreciseTimer() as timer:
            due = self._from
            while (due := due + self._chance.expovariate(self._per_s)) < self._until:
                if due > time.monotonic():
                    await timer.until(due)
                self._due.append(due)
                self._send()

    def _send(self) -> None:
        while self._due and self._idle:
            connection = self._idle.popleft()
            if connection.is_open:
                self._began[connection] = self._due.popleft()
                connection.ask(self._request)

    def _look_whether_done(self) -> None:
        lost = not self._idle and not self._began
        if self._closing and not self._began and (not self._due or lost):
            self._failed += len(self._due)
            self._due.clear()
            self._done.set()
