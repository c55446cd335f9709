"""What an attempt says of who was asked: to its health, or to a doubt about some requests only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from app.domain.call.request import InferenceRequest
from app.domain.routing.attempt import FIRST_REFUSAL, OF_ONE_OPERATION, Verdict
from app.domain.routing.deployment import Deployment
from app.domain.routing.doubts import Doubts
from app.errors import SpillgateError, UpstreamTimeout
from app.observation import Observation
from app.stages.upstream.opening import Opened
from app.standing import Standing

_ACCEPT, _MISCONFIGURED = Verdict.ACCEPT, Verdict.MISCONFIGURED


class Asker(msgspec.Struct, frozen=True, gc=False):
    """Of which requests one is, where a failure may be theirs alone."""

    tenant: str
    operation: str

    @property
    def of_tenant(self) -> str:
        """The scope of its tenant's requests."""
        return f"tenant {self.tenant}"

    @property
    def of_operation(self) -> str:
        """The scope of everybody's requests of this kind."""
        return f"operation {self.operation}"

    @property
    def scopes(self) -> tuple[str, ...]:
        """As `Doubts` knows them."""
        return (self.of_tenant, self.of_operation)


def asker_of(observation: Observation, request: InferenceRequest) -> Asker:
    """Whose request is observed, and what it asks for."""
    principal = observation.principal
    return Asker(principal.tenant.name if principal else "", request.route.operation)


class Judging(msgspec.Struct, frozen=True):
    """Told of every attempt, twice where it served: when its answer began, and when it ended."""

    standing: Standing
    doubts: Doubts

    @contextmanager
    def asking(self, name: str, asker: Asker, now: float) -> Iterator[None]:
        """Around an attempt: it is the probe where one is due."""
        with (
            self.standing.probing(name, now),
            self.doubts.probing(name, asker.scopes, now),
        ):
            yield

    @property
    def all_well(self) -> bool:
        """Whether nobody waits for a probe, nor is kept out."""
        return not self.standing.health.out and not self.doubts.out

    def opened(self, name: str, asker: Asker, opened: Opened, started: float, now: float) -> None:
        """An attempt that was begun at `started` came to this."""
        verdict = opened.verdict
        if verdict is _ACCEPT:
            if _tells_of_health(opened):
                self.standing.judged(name, verdict, started, now)
                if not self.doubts.is_empty:
                    self.doubts.answered(name, asker.scopes, now, started=started)
        elif isinstance(opened.error, UpstreamTimeout):
            jitter = self.standing.draw()
            if self.doubts.was_silent(name, asker.of_tenant, now, started=started, jitter=jitter):
                self.standing.judged(name, Verdict.FAILED, started, now)
        elif verdict is _MISCONFIGURED and opened.code in OF_ONE_OPERATION:
            jitter = self.standing.draw()
            self.doubts.refused(name, asker.of_operation, now, started=started, jitter=jitter)
        else:
            self.standing.judged(name, verdict, started, now)

    def ended(
        self,
        deployment: Deployment,
        asker: Asker,
        started: float,
        now: float,
        broken: SpillgateError | None,
    ) -> None:
        """An answer that had begun came to its end, or broke off, which is a failure, too.

        One that is longer than answers may be says nothing: it was still being written.
        """
        name = deployment.name
        if broken is None:
            self.standing.ended(name, started, now, broken=False)
            if not self.doubts.is_empty:
                self.doubts.completed(name, asker.scopes)
        elif not isinstance(broken, UpstreamTimeout):
            self.standing.ended(name, started, now, broken=True)
        elif now - started < deployment.timeouts.total:
            jitter = self.standing.draw()
            if self.doubts.stalled(name, asker.of_tenant, now, started=started, jitter=jitter):
                self.standing.ended(name, started, now, broken=True)


def _tells_of_health(opened: Opened) -> bool:
    """Of what is passed on: what is wrong with a request says nothing of who refuses it.

    It is told by the status, or inside a stream.
    """
    return (opened.status or 0) < FIRST_REFUSAL and opened.code is None
