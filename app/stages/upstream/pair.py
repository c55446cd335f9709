"""One deployment asked for a stream and, where that does not begin, another one beside it.

The first content wins. The other one is given up in that moment, before a byte of the winner's goes
out: its connection is closed, and what it has read for nothing is charged. Nothing of it reaches
the client.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.route import Candidate
from app.errors import Overloaded
from app.observation import Observation
from app.stages.upstream.asking import Asked, Turn
from app.stages.upstream.hedging import Bill, Hedging
from app.stages.upstream.race import Race


class Pair:
    """One request's."""

    def __init__(
        self,
        hedging: Hedging,
        first: Turn,
        observation: Observation,
        *,
        ask: Callable[[Turn], Coroutine[Any, Any, Asked | None]],
        partners: Callable[[], list[Candidate]],
        turn_of: Callable[[Candidate], Turn],
    ) -> None:
        """`partners` may be asked as things stand; `turn_of` says that one of them is, now."""
        self._hedging = hedging
        self._first = first
        self._second: Turn | None = None
        self._observation = observation
        self._ask = ask
        self._partners = partners
        self._turn_of = turn_of
        self._bill: Bill | None = None
        self._answered: list[Turn] = []

    async def answers(self, delay_s: float) -> AsyncGenerator[Asked]:
        """As they come, the caller's to close; nobody runs any more when one is given that serves.

        One that failed or refused is given, too; while the other one is still at work it goes on.
        """
        race = Race(lambda: self._ask(self._first), lambda: self._late(delay_s))
        try:
            while (asked := await race.arrival()) is not None:
                with ExitStack() as ours:  # until it is the caller's: we may be cancelled meanwhile
                    ours.callback(asked.close)
                    await self._arrived(asked, race)
                    ours.pop_all()
                yield asked
        finally:
            await self._left(race)

    async def _arrived(self, asked: Asked, race: Race[Asked]) -> None:
        self._answered.append(asked.turn)
        if asked.serves:
            await self._won(race)
        elif self._second is None:
            await race.stop()  # the search goes on by itself, and need not wait

    async def _late(self, delay_s: float) -> Asked | None:
        """Ask another one after the delay, if somebody may be asked and pays for it."""
        await self._hedging.sleep(delay_s)
        found = next(iter(self._partners()), None)
        if found is None:
            return None
        names = self._first.deployment.name, found.deployment
        self._bill = await self._hedging.bill(self._observation, names, found.tier)
        if self._bill is None or found not in self._partners():
            return None
        second = self._second = self._turn_of(found)
        try:
            return await self._ask(second)
        except Overloaded:  # it was not asked; the first one is, and may answer yet
            self._second = None
            return None

    async def _won(self, race: Race[Asked]) -> None:
        """Give up the other one, if it is still at work, or answered in the same moment."""
        turns = [self._first, *([self._second] if self._second else [])]
        lost = [turn for turn in turns if turn not in self._answered]
        for turn in lost:
            turn.lose()
        await race.stop()
        if self._second is not None:
            for turn in lost:
                self._charge(turn)

    def _charge(self, lost: Turn) -> None:
        now = self._hedging.clock.now()
        started = now if lost.started is None else lost.started
        attempt = Attempt(
            deployment=lost.deployment.name,
            tier=lost.candidate.tier,
            verdict=Verdict.HEDGED,
            status=None,
            started=started,
            ended=now,
            kind=lost.deployment.kind,
            span_id=lost.span_id,
        )
        self._observation.attempts.append(attempt)
        self._hedging.began(lost.deployment.name, self._observation, now - started)
        if self._bill is not None:
            self._bill.charge(attempt)

    async def _left(self, race: Race[Asked]) -> None:
        try:
            await race.stop()
        finally:
            if self._bill is not None:
                self._bill.release()
