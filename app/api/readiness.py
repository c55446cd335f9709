"""Whether this process is alive and wants traffic; answered on both listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LIVE_PATH = "/healthz"
READY_PATH = "/readyz"


@dataclass(slots=True)
class Readiness:
    """Ready from the start until a drain begins; a dependency's failure does not change it."""

    draining: bool = False
    #: So many others serve for this process; None: it serves itself.
    serving: Callable[[], int] | None = None

    def status(self, path: str) -> tuple[int, dict[str, str]]:
        """Status code and body for one of the two paths."""
        if path == READY_PATH and self.draining:
            return 503, {"status": "draining"}
        if path == READY_PATH and self.serving is not None and not self.serving():
            return 503, {"status": "no worker serves"}
        return 200, {"status": "ok" if path == LIVE_PATH else "ready"}
