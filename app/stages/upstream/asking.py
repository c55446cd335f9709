"""One deployment asked once: from taking its capacity until its answer is let go of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Deployment
from app.domain.routing.route import Candidate
from app.stages.upstream.occupancy import Occupancy
from app.stages.upstream.opening import Opened

_ACCEPT: Final = Verdict.ACCEPT


@dataclass(slots=True)
class Turn:
    """Its turn to be asked; `started` is None until it is, on the monotonic clock."""

    candidate: Candidate
    deployment: Deployment
    span_id: str = ""
    started: float | None = None
    occupancy: Occupancy | None = None

    def lose(self) -> None:
        """Another one answered first: it has read the prompt for nothing."""
        if self.occupancy is not None:
            self.occupancy.is_lost = True


@dataclass(slots=True)
class Asked:
    """It answered, refused or failed; its capacity and its connection are held until `close`."""

    turn: Turn
    started: float
    occupancy: Occupancy
    opened: Opened

    @property
    def serves(self) -> bool:
        """Whether its answer is to be passed on."""
        return self.opened.answer is not None and self.opened.verdict is _ACCEPT

    def close(self) -> None:
        """Let go of it; again changes nothing."""
        try:
            self.opened.close()
        finally:
            self.occupancy.end()
