"""The raw results of a run, as they are kept, and their medians over the rounds that count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.lane_names import CLOSED
from loadtest.bench.quantiles import Spread
from loadtest.bench.turn import Figures, TurnFound

DIRECT: Final = "direct"
OURS: Final = "spillgate"
#: The same as two workers, each a process of its own, on all cores.
TWO_WORKERS: Final = "spillgate-two-workers"
#: So many times as fast as the gateway the upstream has to be.
UPSTREAM_AT_LEAST: Final = 4.0


class About(msgspec.Struct, frozen=True):
    """One who took part: its published settings among others."""

    title: str
    does: str
    version: str
    published: dict[str, str]


class Run(msgspec.Struct, frozen=True):
    """All of one; `left_out` says why, by name."""

    began: str
    seconds: float
    rounds: int
    machine: dict[str, str | int]
    contenders: dict[str, About]
    left_out: dict[str, str]
    turns: list[TurnFound]

    @classmethod
    def read(cls, path: Path) -> Run:
        """Raises OSError, msgspec.MsgspecError."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def write(self, path: Path) -> None:
        """As JSON that a person can read."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    @property
    def too_slow(self) -> list[int]:
        """Rounds that do not count: the upstream was not fast enough for the gateway."""
        return [number for number in range(self.rounds) if self._is_too_slow(number)]

    @property
    def counting(self) -> list[int]:
        """The rounds that count."""
        return [number for number in range(self.rounds) if number not in self.too_slow]

    def figure(self, contender: str, lane: str, name: str) -> dict[int, float]:
        """By round, of those that count."""
        return {
            turn.round: turn.lanes[lane][name]
            for turn in self.of(contender)
            if turn.round in self.counting and name in turn.lanes.get(lane, {})
        }

    def spread(self, contender: str, lane: str, name: str) -> Spread | None:
        """Its median; None where it was not measured."""
        values = list(self.figure(contender, lane, name).values())
        return Spread.of(values) if values else None

    def of(self, contender: str) -> Iterator[TurnFound]:
        """Its turns, in order."""
        return (turn for turn in self.turns if turn.contender == contender)

    def disagreements(self) -> list[str]:
        """Rounds in which the gateway's own counts are not the load generator's."""
        return [
            f"round {turn.round + 1}, {turn.contender}: {'; '.join(turn.agreement['differs'])}"
            for turn in self.turns
            if turn.agreement and turn.agreement["differs"]
        ]

    def failures(self) -> list[str]:
        """Turns that were not finished, and answers that did not come."""
        ended = [
            f"round {turn.round + 1}, {turn.contender}: {turn.error}"
            for turn in self.turns
            if turn.error
        ]
        return ended + [
            f"round {turn.round + 1}, {turn.contender}, {lane}: {count:,.0f} {name}"
            for turn in self.turns
            for lane, figures in turn.lanes.items()
            for name, count in _failed(figures)
        ]

    def _is_too_slow(self, number: int) -> bool:
        upstream, ours = self._closed(DIRECT, number), self._closed(OURS, number)
        return bool(upstream and ours) and upstream < UPSTREAM_AT_LEAST * ours

    def _closed(self, contender: str, number: int) -> float:
        turns = (turn for turn in self.of(contender) if turn.round == number)
        return next((turn.lanes.get(CLOSED, {}).get("per_s", 0.0) for turn in turns), 0.0)


def _failed(figures: Figures) -> Sequence[tuple[str, float]]:
    return [(name, value) for name, value in figures.items() if name.endswith("failed") and value]
