"""How far each export is and how it fares, for whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol


class Sink(Protocol):
    """One place that the ledger is exported to."""

    @property
    def timestamp(self) -> float | None:
        """Up to when it has the ledger, Unix seconds; None before it is known."""
        ...

    @property
    def is_well(self) -> bool:
        """Whether it took what it was given last."""
        ...

    @property
    def failures_total(self) -> int:
        """How often it did not; the same is given again."""
        ...

    @property
    def rejected_total(self) -> int:
        """Rows that it will never have: it took what they came with, and not them."""
        ...


_NONE: Final[Mapping[str, Sink]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Exports:
    """Those of this process by name, `files` or `otlp`; none, where another keeps the archive."""

    sinks: Mapping[str, Sink] = field(default_factory=lambda: _NONE)

    def timestamps(self) -> dict[str, float]:
        """By sink, up to when it has the ledger; Unix seconds."""
        told = {name: sink.timestamp for name, sink in self.sinks.items()}
        return {name: until for name, until in told.items() if until is not None}

    @property
    def is_well(self) -> bool:
        """Whether each is."""
        return all(sink.is_well for sink in self.sinks.values())

    @property
    def failures_total(self) -> int:
        """Of all."""
        return sum(sink.failures_total for sink in self.sinks.values())

    @property
    def rejected_total(self) -> int:
        """Of all."""
        return sum(sink.rejected_total for sink in self.sinks.values())
