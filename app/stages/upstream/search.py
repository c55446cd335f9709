"""Ask the candidates of a plan, one after the other, until one gives an answer worth passing on.

Everything here happens before the first byte to the client. A throttled deployment is held and the
next one asked at once; failures are asked elsewhere as far as the retry budget allows; a silence
ends the search, and what is wrong with the request itself is the answer. What each attempt takes of
its deployment's capacity is counted from when it is sent until the answer's scope is left.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, closing
from dataclasses import dataclass

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.capacity.spill import SpillReason
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Deployment, Fleet
from app.domain.routing.no_capacity import no_capacity
from app.domain.routing.operations import Operations
from app.domain.routing.route import NEVER, Absence, Candidate, RoutePlan
from app.errors import (
    NoCapacity,
    UpstreamError,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamTimeout,
)
from app.observation import Observation
from app.ports import Clock, Upstream
from app.stages.upstream.judging import Asker, Judging, asker_of
from app.stages.upstream.occupancy import Occupancy, occupying
from app.stages.upstream.opening import Opened, open_answer
from app.stages.upstream.retries import Retries
from app.stages.upstream.throttling import Throttling, throttle_class
from app.wire.capacity import capacity_told

#: Request headers that reach an upstream; all others, keys and steering headers such as
#: `x-ms-spillover-deployment` among them, stop here. So does `idempotency-key`: two tenants may
#: choose the same one, and an upstream sees one caller.
_FORWARDED = frozenset({"accept", "openai-beta", "aoai-evals"})


@dataclass(slots=True)
class _Tries:
    """What has been learnt so far while asking one candidate after the other."""

    deadline: float
    errors: int = 0
    is_over: bool = False  # nobody else may be asked
    needs_window: float = 0.0  # tokens; only a larger context window can help
    refusal: Answer | None = None  # an answer to fall back on
    refused: Attempt | None = None  # the attempt that gave it
    failure: UpstreamError | None = None


class Upstreams:
    """Opens the first acceptable answer and closes it again."""

    def __init__(
        self,
        fleet: Fleet,
        upstream: Upstream,
        judging: Judging,
        clock: Clock,
        *,
        retries: Retries,
        operations: Callable[[], Operations] = dict,
    ) -> None:
        """`retries` bounds attempts after errors; throttled ones do not count.

        `operations` are those in force.
        """
        self._fleet = fleet
        self._upstream = upstream
        self._judging = judging
        self._standing = judging.standing
        self._clock = clock
        self._retries = retries
        self._operations = operations
        self._throttling = Throttling(judging.standing)

    @asynccontextmanager
    async def answer(
        self,
        plan: RoutePlan,
        request: InferenceRequest,
        headers: Mapping[str, str],
        observation: Observation,
    ) -> AsyncIterator[Answer]:
        """The answer, open for as long as the caller stays inside.

        Raises NoCapacity when every candidate is throttled, UpstreamError when the last one failed.
        """
        tries = _Tries(deadline=self._deadline(plan, observation))
        forwarded = {name: value for name, value in headers.items() if name in _FORWARDED}
        self._retries.started(self._clock.now())
        asker = asker_of(observation)
        for candidate in plan.candidates:
            deployment = self._fleet.deployments[candidate.deployment]
            if not self._worth_asking(candidate, plan, tries, observation):
                continue
            with self._occupying(deployment, plan, observation) as occupancy:
                started = self._clock.now()
                opened = await self._open(deployment, request, forwarded, asker, tries)
                if opened is None:
                    break
                with closing(opened):
                    attempt = self._attempt(candidate, opened, started)
                    observation.attempts.append(attempt)
                    occupancy.opened(opened, observation.meter)
                    if opened.answer is not None and opened.verdict is Verdict.ACCEPT:
                        self._accepted(attempt, plan, observation)
                        yield opened.answer
                        self._judging.ended(
                            deployment, asker, started, self._clock.now(), observation.broken
                        )
                        return
                    self._learn(attempt, opened, plan, tries)
        if tries.refusal is None:
            raise tries.failure or self._no_capacity(plan)
        observation.served = tries.refused
        yield tries.refusal

    async def _open(
        self,
        deployment: Deployment,
        request: InferenceRequest,
        headers: Mapping[str, str],
        asker: Asker,
        tries: _Tries,
    ) -> Opened | None:
        """Ask it; None where there is nothing to pay another attempt from."""
        started, name = self._clock.now(), deployment.name
        with self._retries.paid(tries.errors, started) as payment:
            if not payment.granted:
                return None
            with self._judging.asking(name, asker, started):
                opened = await open_answer(self._upstream, deployment, request, headers)
                payment.failed = opened.verdict is Verdict.FAILED
                self._judging.opened(name, asker, opened, started, self._clock.now())
                return opened

    def _accepted(self, attempt: Attempt, plan: RoutePlan, observation: Observation) -> None:
        self._retries.served()
        self._standing.accepted(attempt.deployment, plan, attempt.started)
        self._throttling.accepted(attempt.deployment)
        observation.served = attempt
        observation.meter.first_token_at = self._clock.now()

    def _deadline(self, plan: RoutePlan, observation: Observation) -> float:
        limits = (self._fleet.deployments[c.deployment].timeouts.total for c in plan.candidates)
        return observation.started + max(limits)

    def _worth_asking(
        self,
        candidate: Candidate,
        plan: RoutePlan,
        tries: _Tries,
        observation: Observation,
    ) -> bool:
        """Whether this one may and could help, as things stand now rather than when planned."""
        now, name = self._clock.now(), candidate.deployment
        absence = self._absence(candidate, plan, asker_of(observation), now)
        if absence is not None:
            observation.skipped.append(absence)
            return False
        if tries.needs_window and self._window(name) <= tries.needs_window:
            return False
        may_go_on = not tries.is_over and tries.errors < self._retries.most
        return may_go_on and now < tries.deadline

    def _absence(
        self, candidate: Candidate, plan: RoutePlan, asker: Asker, now: float
    ) -> Absence | None:
        """What has happened to it since it was planned, or to the whole plan."""
        name, tier = candidate.deployment, candidate.tier
        # Who holds a stored response is the only candidate, and serves it even while it drains.
        operated = self._operations().get(name) if len(plan.candidates) > 1 else None
        if operated is not None and operated.draining:
            return Absence(name, tier, SpillReason.POLICY, NEVER)
        room = self._standing.refusal(name, plan.load, now)
        if room is not None:
            return Absence(name, tier, room.reason, room.until, room.utilization)
        if self._is_kept_out(candidate, plan, asker, now):
            return Absence(name, tier, SpillReason.UNHEALTHY, now)
        return None

    def _is_kept_out(self, candidate: Candidate, plan: RoutePlan, asker: Asker, now: float) -> bool:
        """It failed since it was planned, or fails such requests, and there are others."""

        def may_ask(each: Candidate) -> bool:
            return self._standing.may_ask(each, plan, now) and self._judging.doubts.may_ask(
                each.deployment, asker.scopes, now
            )

        return not (plan.last_resort or may_ask(candidate)) and any(map(may_ask, plan.candidates))

    def _window(self, deployment: str) -> float:
        """Tokens; 0 where it is not known."""
        return self._fleet.deployments[deployment].context_window or 0.0

    def _occupying(
        self, deployment: Deployment, plan: RoutePlan, observation: Observation
    ) -> AbstractContextManager[Occupancy]:
        return occupying(deployment.name, plan, self._standing, observation, self._clock)

    def _attempt(self, candidate: Candidate, opened: Opened, started: float) -> Attempt:
        headers, deployment = opened.headers, self._fleet.deployments[candidate.deployment]
        return Attempt(
            deployment=candidate.deployment,
            tier=candidate.tier,
            verdict=opened.verdict,
            status=opened.status,
            started=started,
            ended=self._clock.now(),
            code=opened.code,
            retry_after_s=opened.retry_after_s,
            kind=deployment.kind,
            throttle=throttle_class(opened, deployment)
            if opened.verdict is Verdict.THROTTLED
            else None,
            upstream_request_id=headers.get("x-request-id") or headers.get("apim-request-id"),
            native_spillover_from=headers.get("x-ms-spillover-from-deployment"),
            utilization=capacity_told(headers).utilization,
        )

    def _learn(self, attempt: Attempt, opened: Opened, plan: RoutePlan, tries: _Tries) -> None:
        """Draw the consequences of an attempt that did not serve."""
        match attempt.verdict:
            case Verdict.THROTTLED:
                self._throttling.refused(attempt, plan)
                if tries.needs_window:  # this one is large enough: waiting helps after all
                    tries.refusal = None
            case Verdict.TOO_LONG:
                # Of a window of unknown size nothing is known to be larger.
                tries.needs_window = self._window(attempt.deployment) or math.inf
                tries.refusal, tries.refused = opened.answer, attempt
            case Verdict.MISCONFIGURED:
                tries.errors += 1
                message = f"The deployment '{attempt.deployment}' refused the gateway."
                tries.failure, tries.refusal = UpstreamMisconfigured(message), None
            case _:
                tries.errors += 1
                message = f"The deployment '{attempt.deployment}' failed."
                tries.failure = opened.error or UpstreamFailed(message)
                tries.refusal, tries.refused = opened.answer, attempt
                # Nobody knows what it was doing: asked elsewhere, a long answer is paid for again.
                tries.is_over = isinstance(opened.error, UpstreamTimeout)

    def _no_capacity(self, plan: RoutePlan) -> NoCapacity:
        """Every candidate is held by now: say when the first one is free again."""
        names = [place.deployment for place in plan.candidates]
        names += [place.deployment for place in plan.absences if place.until < NEVER]
        now = self._clock.now()
        outlooks = self._standing.outlooks((names,), plan.load, now).items()
        return no_capacity(
            (Absence(name, 0, each.room.reason, each.room.until) for name, each in outlooks),
            now,
            spill_spent=plan.spill_spent,
        )
