"""How long a refusal asks to wait."""

from __future__ import annotations

import msgspec


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Seconds, in steps of `grain_s` seconds that were rounded up to."""

    seconds: float
    grain_s: float
