"""A PTU that is not itself for a while: what the simulator is told to do."""

from __future__ import annotations

from typing import Any


def faults(deployment: str, requests: int = 5) -> tuple[dict[str, Any], ...]:
    """Faults to arm one after the other, each for so many requests: full, failing, slow."""
    throttled = {"status": 429, "headers": {"retry-after-ms": "500"}}
    kinds = (throttled, {"status": 503}, {"delay_ms": 1500})
    return tuple({"deployment": deployment, "times": requests, **kind} for kind in kinds)
