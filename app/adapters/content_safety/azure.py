"""Asks Azure AI Content Safety, within a time-out, a rate, a budget and a breaker.

Whatever goes wrong is a verdict that says so; what holds then is the tenant's own policy. Nothing
that it answers but numbers and booleans is kept, logged or shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from app.adapters.azure.credentials import Credential
from app.adapters.content_safety.calls import (
    MalformedVerdict,
    SafetyCall,
    calls_of,
    verdict_of,
    worst,
)
from app.adapters.redis.breaker import Breaker
from app.domain.policy.rules import Failure, SafetyRule
from app.domain.policy.safety import MOST_OF_REQUEST, SafetyTexts, SafetyVerdict, Unchecked
from app.domain.policy.safety_budget import SafetyBounds, SafetyBudget, SafetyExpense
from app.errors import UpstreamMisconfigured
from app.ports import Clock

#: Calls of one request at a time.
_AT_ONCE: Final = 4
#: After a 429 that does not say for how long, and at most; seconds.
_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 60.0


class Answer(NamedTuple):
    """What came back: status, seconds to wait where it says, and the body, cut at a bound."""

    status: int
    retry_after_s: float | None
    body: bytes


#: Posts a body to a path with headers. Raises OSError where nothing came back.
Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class SafetyLimits:
    """Of one worker. Seconds and US dollars."""

    timeout_s: float = 1.0
    usd_per_record: float = 0.00038
    bounds: SafetyBounds = field(default_factory=SafetyBounds)


class SafetyStanding:
    """What is known of one resource, for longer than one configuration."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is known yet."""
        self.clock = clock
        self.breaker = Breaker(clock)
        self.budget = SafetyBudget()
        self.held_until = 0.0
        self.unchecked_total: Counter[Failure] = Counter()

    @property
    def is_well(self) -> bool:
        """Whether it answers, as far as is known."""
        return not self.breaker.is_lost


class _Refused(Exception):
    """A call without a verdict."""

    def __init__(self, reason: Unchecked) -> None:
        super().__init__(reason)
        self.reason = reason


class AzureContentSafety(msgspec.Struct, frozen=True):
    """A ContentSafety."""

    post: Post
    credential: Credential
    standing: SafetyStanding
    limits: SafetyLimits
    version: str

    async def check(self, texts: SafetyTexts, rule: SafetyRule, tenant: str) -> SafetyVerdict:
        """The worst that is found; what was not looked at is told as the reason."""
        calls = list(calls_of(texts, rule))
        if not calls:
            return SafetyVerdict()
        reason = self._held_back(texts, calls, tenant)
        verdict = SafetyVerdict(unchecked=reason) if reason else await self._within(calls)
        if verdict.unchecked is not None:
            self.standing.unchecked_total[rule.failure] += 1
        return verdict

    def _held_back(
        self, texts: SafetyTexts, calls: Sequence[SafetyCall], tenant: str
    ) -> Unchecked | None:
        """Why nothing is asked; what is asked after None is said to the breaker."""
        standing, limits, now = self.standing, self.limits, self.standing.clock.now()
        if texts.chars > MOST_OF_REQUEST:
            return Unchecked.TOO_LONG
        if now < standing.held_until:
            return Unchecked.THROTTLED
        if not standing.breaker.admits():
            return Unchecked.UNAVAILABLE
        usd = sum(call.records for call in calls) * limits.usd_per_record
        asked = SafetyExpense(tenant, len(calls), usd)
        reason = standing.budget.take(asked, limits.bounds, now=now, unix=standing.clock.unix())
        if reason is not None:
            standing.breaker.abandoned()
        return reason

    async def _within(self, calls: Sequence[SafetyCall]) -> SafetyVerdict:
        """All calls, within the time-out; the first that fails ends the others."""
        breaker = self.standing.breaker
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                verdicts = await self._all(calls)
        except TimeoutError:
            breaker.failed()
            return SafetyVerdict(unchecked=Unchecked.TIMEOUT)
        except asyncio.CancelledError:
            breaker.abandoned()
            raise
        reasons = {each.unchecked for each in verdicts} - {None, Unchecked.THROTTLED}
        if reasons:
            breaker.failed()
        else:  # who asks to be left alone is there
            breaker.succeeded()
        return worst(verdicts)

    async def _all(self, calls: Sequence[SafetyCall]) -> list[SafetyVerdict]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def gated(call: SafetyCall) -> SafetyVerdict:
            async with gate:
                return await self._verdict(call)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(gated(call)) for call in calls]
        return [task.result() for task in tasks]

    async def _verdict(self, call: SafetyCall) -> SafetyVerdict:
        try:
            return verdict_of(call, await self._asked(call))
        except _Refused as refused:
            return SafetyVerdict(unchecked=refused.reason)
        except MalformedVerdict:
            return SafetyVerdict(unchecked=Unchecked.MALFORMED)

    async def _asked(self, call: SafetyCall) -> bytes:
        """Its answer, with another token where the first is not taken any more."""
        header = await self._header()
        answer = await self._posted(call, header)
        if answer.status == HTTPStatus.UNAUTHORIZED and await self.credential.refresh(header[1]):
            answer = await self._posted(call, await self._header())
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = _RETRY_S if answer.retry_after_s is None else answer.retry_after_s
            until = self.standing.clock.now() + min(max(wait, 0.0), _LONGEST_RETRY_S)
            self.standing.held_until = until
            raise _Refused(Unchecked.THROTTLED)
        if answer.status != HTTPStatus.OK:
            raise _Refused(Unchecked.ERROR)
        return answer.body

    async def _header(self) -> tuple[str, str]:
        try:
            name, value = await self.credential.header()
        except UpstreamMisconfigured:
            raise _Refused(Unchecked.ERROR) from None
        # Its keys have a header of their own (REST reference, security).
        return ("ocp-apim-subscription-key", value) if name == "api-key" else (name, value)

    async def _posted(self, call: SafetyCall, header: tuple[str, str]) -> Answer:
        path = f"/contentsafety/{call.path}?api-version={self.version}"
        try:
            return await self.post(path, call.body, dict([header]))
        except OSError:
            raise _Refused(Unchecked.ERROR) from None
