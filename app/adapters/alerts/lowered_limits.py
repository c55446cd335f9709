"""Tells in the log when Azure lowers what a deployment lets in, and when that is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog

from app.adapters.background import background
from app.domain.capacity.paygo_window import Lowered

LOOK_S: Final = 1.0


class LoweredLimits:
    """A line for each change; `lowered` are the limits below the configured ones now, by name."""

    def __init__(self, lowered: Callable[[], Mapping[str, Lowered]]) -> None:
        self._lowered = lowered
        self._told: Mapping[str, Lowered] = {}
        self._log = structlog.get_logger()

    def look(self) -> None:
        """Tell what has changed since the last look."""
        told, found = self._told, self._lowered()
        for name, each in found.items():
            if told.get(name) != each:
                limits = {"tpm": each.tpm, "configured_tpm": each.configured_tpm}
                self._log.warning("deployment limit lowered", deployment=name, **limits)
        for name in told.keys() - found.keys():
            configured = told[name].configured_tpm
            self._log.info("deployment limit restored", deployment=name, tpm=configured)
        self._told = found

    async def keep_looking(self) -> None:
        """For ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def telling_lowered_limits(
    lowered: Callable[[], Mapping[str, Lowered]],
) -> AsyncIterator[None]:
    """For as long as the scope is open."""
    async with background("lowered limits", LoweredLimits(lowered).keep_looking):
        yield
