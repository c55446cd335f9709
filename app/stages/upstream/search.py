"""Ask the candidates of a plan, one after the other, until one gives an answer worth passing on.

Everything here happens before the first byte to the client. A throttled deployment is held and the
next one asked at once; failures are asked elsewhere as far as the retry budget allows; a silence
ends the search, and what is wrong with the request itself is the answer. What each attempt takes of
its deployment's capacity is counted from when it is sent until the answer's scope is left.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from types import TracebackType
from typing import Any, Final

import msgspec

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.routing.attempt import FIRST_REFUSAL, Attempt, Verdict
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
from app.stages.upstream.asking import Asked, Turn
from app.stages.upstream.hedging import Hedging
from app.stages.upstream.judging import Asker, Judging, asker_of
from app.stages.upstream.occupancy import Occupancy
from app.stages.upstream.opening import Opened, open_answer
from app.stages.upstream.pair import Pair
from app.stages.upstream.permission import Permission
from app.stages.upstream.prospects import Prospects
from app.stages.upstream.retries import Retries
from app.stages.upstream.throttling import Throttling
from app.wire.capacity import capacity_told
from app.wire.trace_context import TRACEPARENT, caller_of, passed_on, trace_headers

#: Request headers that reach an upstream; all others, keys and steering headers such as
#: `x-ms-spillover-deployment` among them, stop here. So does `idempotency-key`: two tenants may
#: choose the same one, and an upstream sees one caller.
_FORWARDED: Final = ("accept", "openai-beta", "aoai-evals")
_ACCEPT, _FAILED = Verdict.ACCEPT, Verdict.FAILED


#: What was found so lately while planning is as things stand, if nobody was asked since. Seconds.
_JUST_NOW_S: Final = 0.001


class _Search(msgspec.Struct, eq=False):
    """One request's: what it asks with, what was learnt while asking, and who answered.

    Inside of it the answer is open.
    """

    upstreams: Upstreams
    plan: RoutePlan
    request: InferenceRequest
    headers: dict[str, str]
    observation: Observation
    turns: dict[str, Turn] = {}  # of those that were asked
    errors: int = 0
    is_over: bool = False  # nobody else may be asked
    is_unpaid: bool = False  # nor for want of a retry
    refusal: Answer | None = None  # an answer to fall back on
    refused: Attempt | None = None  # the attempt that gave it
    failure: UpstreamError | None = None
    answering: Asked | None = None  # whose answer is passed on
    _prospects: Prospects | None = None

    @property
    def asker(self) -> Asker:
        """Whose request it is, where a failure may be theirs alone."""
        return asker_of(self.observation, self.request)

    @property
    def prospects(self) -> Prospects:
        """What is left of the plan; most searches end with the first one that they ask."""
        if self._prospects is None:
            self._prospects = self.upstreams.prospects(self)
        return self._prospects

    def __aenter__(self) -> Coroutine[Any, Any, Answer]:
        return self.upstreams.opened(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.answering is not None:
            self.upstreams.closed(self, self.answering, failed=kind is not None)

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
        self._hedging = retries.hedging
        self._throttling = Throttling(judging.standing)
        self._out = judging.standing.health.out
        self._remembered = judging.standing.health.records
        self._doubts, self._doubted = judging.doubts, judging.doubts.out
        limits = (each.timeouts.total for each in fleet.deployments.values())
        self._shortest_s = min(limits, default=0.0)  # of all that a request may take

    def answer(
        self,
        plan: RoutePlan,
        request: InferenceRequest,
        headers: Mapping[str, str],
        observation: Observation,
    ) -> AbstractAsyncContextManager[Answer]:
        """The answer, open for as long as the caller stays inside.

        Entering raises NoCapacity when every candidate is throttled, UpstreamError when the last
        one failed, NowhereAllowed or InvalidApiKey when the tenant's policy by now permits none of
        them.
        """
        return _Search(self, plan, request, _forwarded(headers, observation), observation)

    def prospects(self, search: _Search) -> Prospects:
        """Of a plan that is worked off."""
        principal, rules, fleet = search.observation.principal, self._rules, self._fleet
        permission = Permission(fleet, rules, principal.tenant if principal is not None else None)
        return Prospects(
            search.plan, search.asker, self._judging, fleet, rules.operations, permission
        )

    async def opened(self, search: _Search) -> Answer:
        """The first answer worth passing on, whose deployment is `answering`, or a refusal."""
        now, hedging, turns = self._clock.now(), self._hedging, search.turns
        self._retries.budget.started(now)
        if hedging is not None:
            hedging.started(search.observation, now)
        for candidate in search.plan.candidates:
            is_looked_at = turns or not self._is_as_planned(candidate, search, now)
            if is_looked_at and not self._worth_asking(candidate, search, now):
                continue
            turn = self._turn(candidate, search)
            delay_s = None if hedging is None else self._hedge_after_s(turn, search)
            if hedging is None or delay_s is None:
                asked = await self._ask(turn, search, now)
                answer = None if asked is None else self._taken(asked, search)
            else:
                answer = await self._of_two(hedging, turn, delay_s, search)
            if answer is not None:
                return answer
            now = self._clock.now()
        return self._fallback(search)

    def closed(self, search: _Search, asked: Asked, *, failed: bool) -> None:
        """The caller is through with the answer; `failed`: it did not come to its end."""
        deployment, broken = asked.turn.deployment, search.observation.broken
        try:
            if not failed and (broken is not None or self._minds(deployment.name)):
                now = self._clock.now()
                self._judging.ended(deployment, search.asker, asked.started, now, broken)
        finally:
            asked.close()

    def _fallback(self, search: _Search) -> Answer:
        """An answer that refuses, where nobody served."""
        prospects = search.prospects
        if search.refusal is None:
            raise search.failure or prospects.no_capacity(self._clock.now())
        if search.is_too_long and prospects.left():  # a larger window is only absent for a time
            raise prospects.no_capacity(self._clock.now())
        search.observation.served = search.refused
        return search.refusal

    def _turn(self, candidate: Candidate, search: _Search) -> Turn:
        deployment = self._fleet.deployments[candidate.deployment]
        turn = Turn(candidate, deployment, search.observation.new_span_id())
        search.turns[candidate.deployment] = turn
        return turn

    async def _of_two(
        self, hedging: Hedging, turn: Turn, delay_s: float, search: _Search
    ) -> Answer | None:
        """What came of asking one, and another one where it kept us waiting. One at most serves."""
        pair = Pair(
            hedging,
            turn,
            search.observation,
            ask=lambda each: self._ask(each, search, self._clock.now()),
            partners=lambda: self._partners(turn, search),
            turn_of=lambda each: self._turn(each, search),
        )
        try:
            async with aclosing(pair.answers(delay_s)) as all_asked:
                async for asked in all_asked:
                    answer = self._taken(asked, search)
                    if answer is not None:
                        return answer
        except BaseException:  # cancelled before the caller has it: nobody else closes it
            if search.answering is not None:
                search.answering.close()
            raise
        return None

    def _taken(self, asked: Asked, search: _Search) -> Answer | None:
        """The answer where it serves; else it is let go of, with its consequences drawn."""
        observation, opened = search.observation, asked.opened
        try:
            told = capacity_told(opened.headers)
            attempt = asked.attempt(told.utilization)
            observation.attempts.append(attempt)
            asked.occupancy.opened(opened, told, asked.ended)
            if opened.verdict is _ACCEPT and opened.answer is not None:
                self._accepted(attempt, search)
                observation.response_id = opened.answer.response_id
                search.answering = asked
                return opened.answer
            self._learn(attempt, opened, search)
            search.prospects.time_passed()
        finally:
            if search.answering is not asked:
                asked.close()
        return None

    def _hedge_after_s(self, turn: Turn, search: _Search) -> float | None:
        """Seconds; None: nobody else is asked before it answered. Only of a first attempt."""
        if self._hedging is None or search.errors or search.plan.last_resort:
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

    async def _ask(self, turn: Turn, search: _Search, started: float) -> Asked | None:
        """Ask it; None where there is nothing to pay another attempt from."""
        deployment, observation = turn.deployment, search.observation
        place = self._standing.take(deployment.name, search.plan, started)
        occupancy = turn.occupancy = Occupancy(place, observation, self._clock)
        turn.started = started
        headers, opened = search.headers, None
        if observation.trace is not None:  # its span is the upstream's caller
            headers = headers | trace_headers(observation.trace, turn.span_id)
        try:
            if search.errors or self._out or self._doubted:
                opened = await self._probe(deployment, headers, search)
            else:  # it costs nothing, and is nobody's probe
                opened = await open_answer(self._upstream, deployment, search.request, headers)
                if opened.verdict is not _ACCEPT or self._minds(deployment.name):
                    now = self._clock.now()
                    self._judging.opened(deployment.name, search.asker, opened, started, now)
        finally:
            if opened is None:
                occupancy.end()
        if opened is None:
            search.is_unpaid = True
            return None
        return Asked(turn, started, occupancy, opened, self._clock.now())

    async def _probe(
        self, deployment: Deployment, headers: Mapping[str, str], search: _Search
    ) -> Opened | None:
        """Ask in spite of errors, here or before; None where that cannot be paid."""
        started, name, asker = self._clock.now(), deployment.name, search.asker
        with self._retries.paid(search.errors, started) as payment:
            if not payment.granted:
                return None
            with self._judging.asking(name, asker, started):
                opened = await open_answer(self._upstream, deployment, search.request, headers)
                payment.failed = opened.verdict is _FAILED
                self._judging.opened(name, asker, opened, started, self._clock.now())
                return opened

    def _accepted(self, attempt: Attempt, search: _Search) -> None:
        observation, plan = search.observation, search.plan
        self._retries.budget.served()
        if plan.affinity is not None:
            self._standing.accepted(attempt.deployment, plan, attempt.started)
        self._throttling.accepted(attempt.deployment)
        if self._hedging is not None and (attempt.status or 0) < FIRST_REFUSAL:  # it is content
            waited_s = attempt.ended - attempt.started
            self._hedging.began(attempt.deployment, observation, waited_s)
        observation.served = attempt
        observation.meter.first_token_at = attempt.ended

    def _deadline(self, search: _Search) -> float:
        deployments = self._fleet.deployments
        limits = [deployments[c.deployment].timeouts.total for c in search.plan.candidates]
        return search.observation.started + max(limits)

    def _is_late(self, candidate: Candidate, search: _Search, now: float) -> bool:
        """Whether the time of the whole request is over: that of the most patient deployment."""
        own = self._fleet.deployments[candidate.deployment].timeouts.total
        return now >= search.observation.started + own and now >= self._deadline(search)

    def _worth_asking(self, candidate: Candidate, search: _Search, now: float) -> bool:
        """Whether this one may and could help, as things stand now rather than when planned."""
        prospects = search.prospects
        if search.is_unpaid or candidate.deployment in search.turns:  # asked beside another one
            return False
        absence = prospects.absence(candidate, now)
        if absence is not None:
            search.observation.skipped.append(absence)
            return False
        if not prospects.is_large_enough(candidate.deployment):
            return False
        may_go_on = not search.is_over and search.errors < self._retries.most
        return may_go_on and not self._is_late(candidate, search, now)

    def _minds(self, name: str) -> bool:
        """Whether anything is remembered against it, or against some requests."""
        return name in self._remembered or not self._doubts.is_empty

    def _is_as_planned(self, candidate: Candidate, search: _Search, now: float) -> bool:
        """Whether nothing can have come between plan and search, and the request is not late."""
        plan = search.plan
        if now - plan.made_at > _JUST_NOW_S or now > search.observation.started + self._shortest_s:
            return False
        if self._out or self._doubted or plan.rules is not self._rules.version():
            return False
        return not self._standing.may_be_held(candidate.deployment)

    def _learn(self, attempt: Attempt, opened: Opened, search: _Search) -> None:
        """Draw the consequences of an attempt that did not serve."""
        prospects = search.prospects
        match attempt.verdict:
            case Verdict.THROTTLED:
                self._throttling.refused(attempt, prospects.plan)
                if prospects.needs_window:  # this one is large enough: waiting helps after all
                    search.refusal = None
            case Verdict.TOO_LONG:
                # Of a window of unknown size nothing is known to be larger.
                prospects.needs_window = prospects.window(attempt.deployment) or math.inf
                search.refusal, search.refused = opened.answer, attempt
            case Verdict.MISCONFIGURED:
                search.errors += 1
                message = f"The deployment '{attempt.deployment}' refused the gateway."
                search.failure, search.refusal = UpstreamMisconfigured(message), None
            case _:
                search.errors += 1
                message = f"The deployment '{attempt.deployment}' failed."
                search.failure = opened.error or UpstreamFailed(message)
                search.refusal, search.refused = opened.answer, attempt
                # Nobody knows what it was doing: asked elsewhere, a long answer is paid for again.
                search.is_over = isinstance(opened.error, UpstreamTimeout)


def _forwarded(headers: Mapping[str, str], observation: Observation) -> dict[str, str]:
    """What of a caller's headers reaches every upstream; of its trace, where we have none."""
    forwarded = {}
    for name in _FORWARDED:
        if name in headers:
            forwarded[name] = headers[name]
    if observation.trace is not None or TRACEPARENT not in headers:
        return forwarded
    caller = caller_of(headers)
    return forwarded if caller is None else forwarded | passed_on(caller)
