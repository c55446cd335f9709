"""Ask the candidates of a plan, one after the other, until one gives an answer worth passing on.

Everything here happens before the first byte to the client. A throttled deployment is held and the
next one asked at once; failures are asked elsewhere as far as the retry budget allows; a silence
ends the search, and what is wrong with the request itself is the answer. What each attempt takes of
its deployment's capacity is counted from when it is sent until the answer's scope is left.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, closing
from dataclasses import dataclass

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Deployment, Fleet
from app.domain.routing.live_rules import UNCHANGED, LiveRules
from app.domain.routing.route import Candidate, RoutePlan
from app.errors import (
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
from app.stages.upstream.permission import Permission
from app.stages.upstream.prospects import Prospects
from app.stages.upstream.retries import Retries
from app.stages.upstream.throttling import Throttling, throttle_class
from app.wire.capacity import capacity_told
from app.wire.trace_context import caller_of, passed_on, trace_headers

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
    refusal: Answer | None = None  # an answer to fall back on
    refused: Attempt | None = None  # the attempt that gave it
    failure: UpstreamError | None = None

    @property
    def is_too_long(self) -> bool:
        """Whether the answer to fall back on is that no window was large enough."""
        return self.refused is not None and self.refused.verdict is Verdict.TOO_LONG


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
        rules: LiveRules = UNCHANGED,
    ) -> None:
        """`retries` bounds attempts after errors; throttled ones do not count."""
        self._fleet = fleet
        self._upstream = upstream
        self._judging = judging
        self._standing = judging.standing
        self._clock = clock
        self._retries = retries
        self._rules = rules
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

        Raises NoCapacity when every candidate is throttled, UpstreamError when the last one failed,
        NowhereAllowed or InvalidApiKey when the tenant's policy by now permits none of them.
        """
        tries = _Tries(deadline=self._deadline(plan, observation))
        forwarded = _forwarded(headers, observation)
        self._retries.started(self._clock.now())
        asker = asker_of(observation, request)
        prospects = self._prospects(plan, asker, observation)
        for candidate in plan.candidates:
            deployment = self._fleet.deployments[candidate.deployment]
            if not self._worth_asking(candidate, prospects, tries, observation):
                continue
            with self._occupying(deployment, plan, observation) as occupancy:
                started = self._clock.now()
                span_id = observation.new_span_id()
                traced = forwarded | _traced(observation, span_id)
                opened = await self._open(deployment, request, traced, asker, tries)
                if opened is None:
                    break
                with closing(opened):
                    attempt = self._attempt(candidate, opened, started, span_id)
                    observation.attempts.append(attempt)
                    occupancy.opened(opened, observation.meter)
                    if opened.answer is not None and opened.verdict is Verdict.ACCEPT:
                        self._accepted(attempt, plan, observation)
                        yield opened.answer
                        self._judging.ended(
                            deployment, asker, started, self._clock.now(), observation.broken
                        )
                        return
                    self._learn(attempt, opened, prospects, tries)
                    prospects.time_passed()
        if tries.refusal is None:
            raise tries.failure or prospects.no_capacity(self._clock.now())
        if tries.is_too_long and prospects.left():  # a larger window is only absent for a time
            raise prospects.no_capacity(self._clock.now())
        observation.served = tries.refused
        yield tries.refusal

    def _prospects(self, plan: RoutePlan, asker: Asker, observation: Observation) -> Prospects:
        principal, rules = observation.principal, self._rules
        permission = Permission(self._fleet, rules, principal.tenant if principal else None)
        return Prospects(plan, asker, self._judging, self._fleet, rules.operations, permission)

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
        prospects: Prospects,
        tries: _Tries,
        observation: Observation,
    ) -> bool:
        """Whether this one may and could help, as things stand now rather than when planned."""
        now = self._clock.now()
        absence = prospects.absence(candidate, now)
        if absence is not None:
            observation.skipped.append(absence)
            return False
        if not prospects.is_large_enough(candidate.deployment):
            return False
        may_go_on = not tries.is_over and tries.errors < self._retries.most
        return may_go_on and now < tries.deadline

    def _occupying(
        self, deployment: Deployment, plan: RoutePlan, observation: Observation
    ) -> AbstractContextManager[Occupancy]:
        return occupying(deployment.name, plan, self._standing, observation, self._clock)

    def _attempt(
        self, candidate: Candidate, opened: Opened, started: float, span_id: str
    ) -> Attempt:
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
            span_id=span_id,
        )

    def _learn(self, attempt: Attempt, opened: Opened, prospects: Prospects, tries: _Tries) -> None:
        """Draw the consequences of an attempt that did not serve."""
        match attempt.verdict:
            case Verdict.THROTTLED:
                self._throttling.refused(attempt, prospects.plan)
                if prospects.needs_window:  # this one is large enough: waiting helps after all
                    tries.refusal = None
            case Verdict.TOO_LONG:
                # Of a window of unknown size nothing is known to be larger.
                prospects.needs_window = prospects.window(attempt.deployment) or math.inf
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


def _forwarded(headers: Mapping[str, str], observation: Observation) -> dict[str, str]:
    """What of a caller's headers reaches every upstream; of its trace, where we have none."""
    forwarded = {name: value for name, value in headers.items() if name in _FORWARDED}
    caller = caller_of(headers) if observation.trace is None else None
    return forwarded if caller is None else forwarded | passed_on(caller)


def _traced(observation: Observation, span_id: str) -> dict[str, str]:
    """What makes an attempt's span the upstream's caller."""
    trace = observation.trace
    return {} if trace is None else trace_headers(trace, span_id)
