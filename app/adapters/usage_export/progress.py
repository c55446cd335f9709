"""How far each export is, for whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

#: A sink's name, and up to when it has the ledger (Unix seconds; None: not known yet).
Sinks = Mapping[str, Callable[[], float | None]]

_NONE: Final[Sinks] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Exports:
    """Those of this process; none, where another one keeps the archive."""

    sinks: Sinks = field(default_factory=lambda: _NONE)

    def timestamps(self) -> dict[str, float]:
        """By sink, `files` or `otlp`, up to when it has the ledger; Unix seconds."""
        told = {name: until() for name, until in self.sinks.items()}
        return {name: until for name, until in told.items() if until is not None}
