"""Tells in the log when a deployment is taken out because it fails, and when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog

from app.adapters.background import background
from app.domain.routing.health import State, Status
from app.ports import Clock

#: Shorter than any ejection lasts, which cannot be missed.
LOOK_S: Final = 1.0
_OUT: Final = frozenset({Status.EJECTED, Status.HALF_OPEN})


class Ejections:
    """A line for each; `states` is what is thought of deployments now, by name."""

    def __init__(self, states: Callable[[], Mapping[str, State]], clock: Clock) -> None:
        """States' times are those of `clock`."""
        self._states = states
        self._clock = clock
        self._told: dict[str, float] = {}  # until when
        self._log = structlog.get_logger()

    def look(self) -> None:
        """Tell what has changed since the last look; not of one that is configured no more."""
        states = self._states()
        out = {name: state for name, state in states.items() if state.status in _OUT}
        for name, state in out.items():
            if state.status is Status.EJECTED and self._told.get(name) != state.until:
                self._told[name] = state.until
                for_s = round(state.until - self._clock.now(), 1)
                self._log.warning("deployment ejected", deployment=name, for_s=for_s)
        for name in self._told.keys() - out.keys():
            del self._told[name]
            if name in states:
                self._log.info("deployment back", deployment=name)

    async def keep_looking(self) -> None:
        """For ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def telling_ejections(
    states: Callable[[], Mapping[str, State]], clock: Clock
) -> AsyncIterator[None]:
    """For as long as the scope is open."""
    async with background("ejections", Ejections(states, clock).keep_looking):
        yield
