"""How long a refusal asks to wait."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds, in steps of `grain_s` seconds that were rounded up to."""

    seconds: float
    grain_s: float
