"""What workers think of deployments, each from its own requests, as one view."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from app.adapters.unix_answers import LIMIT_S, answer_of, is_silent
from app.domain.routing.health import State, Status

#: From well to ill.
_ORDER: Final = (Status.HEALTHY, Status.RAMPING, Status.HALF_OPEN, Status.EJECTED)
_DECODER: Final = msgspec.json.Decoder(dict[str, State])
_ENCODER: Final = msgspec.json.Encoder()


def view_of(healths: Mapping[str, State]) -> bytes:
    """As a worker tells it. Moments are of the monotonic clock, which a machine has one of."""
    return _ENCODER.encode(healths)


class Views:
    """The last view of each worker."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        """Nobody is waited for longer than `limit_s`."""
        self._limit_s = limit_s
        self._paths: dict[int, Path] = {}
        self._views: dict[int, dict[str, State]] = {}

    def joined(self, number: int, path: Path) -> None:
        """A worker tells its view there from now on."""
        self._paths[number] = path

    def exited(self, number: int) -> None:
        """What it thought is forgotten with it."""
        path = self._paths.pop(number, None)
        if path is not None:
            path.unlink(missing_ok=True)  # who was killed left it
        self._views.pop(number, None)

    async def look(self) -> None:
        """Ask all. Who does not answer is taken to think what it thought last."""
        asked = dict(self._paths)
        told = await asyncio.gather(*(answer_of(path, self._limit_s) for path in asked.values()))
        for (number, path), view in zip(asked.items(), told, strict=True):
            if view and self._paths.get(number) == path:
                self._views[number] = _read(view, self._views.get(number, {}))

    async def answering(self, limit_s: float) -> set[int]:
        """The workers whose loop turns: all but those that are silent for so many seconds.

        Who has no file left for one more connection hangs up, and who drains alone has left its
        socket before it has settled.
        """
        asked = dict(self._paths)
        silent = await asyncio.gather(*(is_silent(path, limit_s) for path in asked.values()))
        return {number for number, hangs in zip(asked, silent, strict=True) if not hangs}

    def healths(self) -> dict[str, State]:
        """By deployment the worst of what anybody thinks: so many requests meet it there."""
        worst: dict[str, State] = {}
        for view in self._views.values():
            for name, state in view.items():
                worst[name] = max(worst.get(name, state), state, key=_badness)
        return worst


def _read(view: bytes, otherwise: dict[str, State]) -> dict[str, State]:
    try:
        return _DECODER.decode(view)
    except msgspec.MsgspecError:  # cut off
        return otherwise


def _badness(state: State) -> tuple[int, float, float]:
    return _ORDER.index(state.status), -state.factor, state.until
