"""Ask the candidates of a plan, one after the other, until one gives an answer worth passing on.

Everything here happens before the first byte to the client. A throttled deployment is held and the
next one asked at once; failures are asked elsewhere as far as the retry budget allows; a silence
ends the search, and what is wrong with the request itself is the answer. What each attempt takes of
its deployment's capacity is counted from when it is sent until the answer's scope is left.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractContextManager, ExitStack, aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from http import HTTPStatus

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Deployment, Fleet
from app.domain.routing.live_rules import UNCHANGED, LiveRules
from app.domain.routing.route import Candidate, RoutePlan
from app.domain.routing.told import code_told, name_told
from app.errors import (
    UpstreamError,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamTimeout,
)
from app.observation import Observation
from app.ports import Clock, Upstream
from app.stages.upstream.asking import Asked, Turn
from app.stages.upstream.judging import Asker, Judging, asker_of
from app.stages.upstream.occupancy import Occupancy, occupying
from app.stages.upstream.opening import Opened, open_answer
from app.stages.upstream.pair import Pair
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
    is_unpaid: bool = False  # nor for want of a retry
    refusal: Answer | None = None  # an answer to fall back on
    refused: Attempt | None = None  # the attempt that gave it
    failure: UpstreamError | None = None

    @property
    def is_too_long(self) -> bool:
        """Whether the answer to fall back on is that no window was large enough."""
        return self.refused is not None and self.refused.verdict is Verdict.TOO_LONG


@dataclass(slots=True)
class _Search:
    """One request's: what it asks with, and what came of it so far."""

    plan: RoutePlan
    request: InferenceRequest
    headers: Mapping[str, str]
    observation: Observation
    asker: Asker
    prospects: Prospects
    tries: _Tries
    turns: dict[str, Turn] = field(default_factory=dict)  # of those that were asked


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
        self._hedging = retries.hedging
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
        search = self._begun(plan, request, headers, observation)
        tries, prospects, asker = search.tries, search.prospects, search.asker
        for candidate in plan.candidates:
            if not self._worth_asking(candidate, search):
                continue
            async with aclosing(self._asked(candidate, search)) as all_asked:
                async for asked in all_asked:
                    with closing(asked):
                        attempt = self._attempt(asked)
                        observation.attempts.append(attempt)
                        asked.occupancy.opened(asked.opened, observation.meter)
                        if asked.serves and asked.opened.answer is not None:
                            self._accepted(attempt, plan, observation)
                            yield asked.opened.answer
                            deployment, now = asked.turn.deployment, self._clock.now()
                            broken = observation.broken
                            self._judging.ended(deployment, asker, asked.started, now, broken)
                            return
                        self._learn(attempt, asked.opened, prospects, tries)
                        prospects.time_passed()
        if tries.refusal is None:
            raise tries.failure or prospects.no_capacity(self._clock.now())
        if tries.is_too_long and prospects.left():  # a larger window is only absent for a time
            raise prospects.no_capacity(self._clock.now())
        observation.served = tries.refused
        yield tries.refusal

    def _begun(
        self,
        plan: RoutePlan,
        request: InferenceRequest,
        headers: Mapping[str, str],
        observation: Observation,
    ) -> _Search:
        now = self._clock.now()
        self._retries.started(now)
        if self._hedging is not None:
            self._hedging.started(observation, now)
        asker = asker_of(observation, request)
        return _Search(
            plan,
            request,
            _forwarded(headers, observation),
            observation,
            asker,
            self._prospects(plan, asker, observation),
            _Tries(deadline=self._deadline(plan, observation)),
        )

    def _turn(self, candidate: Candidate, search: _Search) -> Turn:
        deployment = self._fleet.deployments[candidate.deployment]
        turn = Turn(candidate, deployment, search.observation.new_span_id())
        search.turns[candidate.deployment] = turn
        return turn

    def _asked(self, candidate: Candidate, search: _Search) -> AsyncGenerator[Asked]:
        """What came of asking: of one, or of two where it kept us waiting. One at most serves."""
        turn = self._turn(candidate, search)
        delay_s = self._hedge_after_s(turn, search)
        if self._hedging is None or delay_s is None:
            return self._alone(turn, search)
        pair = Pair(
            self._hedging,
            turn,
            search.observation,
            ask=lambda each: self._ask(each, search),
            partners=lambda: self._partners(turn, search),
            turn_of=lambda each: self._turn(each, search),
        )
        return pair.answers(delay_s)

    async def _alone(self, turn: Turn, search: _Search) -> AsyncGenerator[Asked]:
        asked = await self._ask(turn, search)
        if asked is not None:
            yield asked

    def _hedge_after_s(self, turn: Turn, search: _Search) -> float | None:
        """Seconds; None: nobody else is asked before it answered. Only of a first attempt."""
        if self._hedging is None or search.tries.errors or search.plan.last_resort:
            return None
        delay_s = self._hedging.delay_s(turn.deployment, search.request, search.observation)
        return delay_s if delay_s is not None and self._partners(turn, search) else None

    def _partners(self, turn: Turn, search: _Search) -> list[Candidate]:
        """Who may be asked beside it: never where the request may not go, nor who is held."""
        if self._hedging is None:
            return []
        now, prospects = self._clock.now(), search.prospects
        found = self._hedging.partners(turn.candidate, search.plan, self._fleet, search.turns)
        return [
            each
            for each in found
            if prospects.absence(each, now) is None and prospects.is_large_enough(each.deployment)
        ]

    async def _ask(self, turn: Turn, search: _Search) -> Asked | None:
        """Ask it; None where there is nothing to pay another attempt from."""
        deployment, observation = turn.deployment, search.observation
        with ExitStack() as scope:
            taken = self._occupying(deployment, search.plan, observation)
            turn.occupancy = occupancy = scope.enter_context(taken)
            turn.started = started = self._clock.now()
            traced = {**search.headers, **_traced(observation, turn.span_id)}
            opened = await self._open(deployment, traced, search)
            if opened is None:
                search.tries.is_unpaid = True
                return None
            scope.enter_context(closing(opened))
            return Asked(turn, started, occupancy, opened, scope.pop_all())

    def _prospects(self, plan: RoutePlan, asker: Asker, observation: Observation) -> Prospects:
        principal, rules = observation.principal, self._rules
        permission = Permission(self._fleet, rules, principal.tenant if principal else None)
        return Prospects(plan, asker, self._judging, self._fleet, rules.operations, permission)

    async def _open(
        self, deployment: Deployment, headers: Mapping[str, str], search: _Search
    ) -> Opened | None:
        started, name, asker = self._clock.now(), deployment.name, search.asker
        with self._retries.paid(search.tries.errors, started) as payment:
            if not payment.granted:
                return None
            with self._judging.asking(name, asker, started):
                opened = await open_answer(self._upstream, deployment, search.request, headers)
                payment.failed = opened.verdict is Verdict.FAILED
                self._judging.opened(name, asker, opened, started, self._clock.now())
                return opened

    def _accepted(self, attempt: Attempt, plan: RoutePlan, observation: Observation) -> None:
        self._retries.served()
        self._standing.accepted(attempt.deployment, plan, attempt.started)
        self._throttling.accepted(attempt.deployment)
        is_content = (attempt.status or 0) < HTTPStatus.MULTIPLE_CHOICES
        if self._hedging is not None and is_content:
            waited_s = attempt.ended - attempt.started
            self._hedging.began(attempt.deployment, observation, waited_s)
        observation.served = attempt
        observation.meter.first_token_at = self._clock.now()

    def _deadline(self, plan: RoutePlan, observation: Observation) -> float:
        limits = (self._fleet.deployments[c.deployment].timeouts.total for c in plan.candidates)
        return observation.started + max(limits)

    def _worth_asking(self, candidate: Candidate, search: _Search) -> bool:
        """Whether this one may and could help, as things stand now rather than when planned."""
        now, tries, prospects = self._clock.now(), search.tries, search.prospects
        if tries.is_unpaid or candidate.deployment in search.turns:  # asked beside another one
            return False
        absence = prospects.absence(candidate, now)
        if absence is not None:
            search.observation.skipped.append(absence)
            return False
        if not prospects.is_large_enough(candidate.deployment):
            return False
        may_go_on = not tries.is_over and tries.errors < self._retries.most
        return may_go_on and now < tries.deadline

    def _occupying(
        self, deployment: Deployment, plan: RoutePlan, observation: Observation
    ) -> AbstractContextManager[Occupancy]:
        return occupying(deployment.name, plan, self._standing, observation, self._clock)

    def _attempt(self, asked: Asked) -> Attempt:
        turn, opened = asked.turn, asked.opened
        headers, deployment = opened.headers, turn.deployment
        return Attempt(
            deployment=deployment.name,
            tier=turn.candidate.tier,
            verdict=opened.verdict,
            status=opened.status,
            started=asked.started,
            ended=self._clock.now(),
            code=code_told(opened.code),
            retry_after_s=opened.retry_after_s,
            kind=deployment.kind,
            throttle=throttle_class(opened, deployment)
            if opened.verdict is Verdict.THROTTLED
            else None,
            upstream_request_id=name_told(
                headers.get("x-request-id") or headers.get("apim-request-id")
            ),
            native_spillover_from=name_told(headers.get("x-ms-spillover-from-deployment")),
            utilization=capacity_told(headers).utilization,
            span_id=turn.span_id,
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
