"""One deployment asked once: from taking its capacity until its answer is let go of."""

from __future__ import annotations

import msgspec

from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Deployment
from app.domain.routing.route import Candidate
from app.domain.routing.told import code_told, name_told
from app.stages.upstream.occupancy import Occupancy
from app.stages.upstream.opening import Opened
from app.stages.upstream.throttling import throttle_class

_ACCEPT, _THROTTLED = Verdict.ACCEPT, Verdict.THROTTLED


class Turn(msgspec.Struct, eq=False):
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


class Asked(msgspec.Struct, eq=False):
    """It answered, refused or failed; its capacity and its connection are held until `close`."""

    turn: Turn
    started: float
    occupancy: Occupancy
    opened: Opened
    ended: float  # when its answer could be judged

    @property
    def serves(self) -> bool:
        """Whether its answer is to be passed on."""
        return self.opened.answer is not None and self.opened.verdict is _ACCEPT

    def attempt(self, utilization: float | None) -> Attempt:
        """What is kept of it, of what it said codes and names alone."""
        turn, opened = self.turn, self.opened
        headers, deployment, verdict = opened.headers, turn.deployment, opened.verdict
        code, moved_from = opened.code, headers.get("x-ms-spillover-from-deployment")
        return Attempt(
            deployment=deployment.name,
            tier=turn.candidate.tier,
            verdict=verdict,
            status=opened.status,
            started=self.started,
            ended=self.ended,
            code=None if code is None else code_told(code),
            retry_after_s=opened.retry_after_s,
            kind=deployment.kind,
            throttle=throttle_class(opened, deployment) if verdict is _THROTTLED else None,
            upstream_request_id=name_told(
                headers.get("x-request-id") or headers.get("apim-request-id")
            ),
            native_spillover_from=None if moved_from is None else name_told(moved_from),
            utilization=utilization,
            span_id=turn.span_id,
        )

    def close(self) -> None:
        """Let go of it; again changes nothing."""
        try:
            self.opened.close()
        finally:
            self.occupancy.end()
