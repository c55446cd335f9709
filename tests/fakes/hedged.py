"""A search that may ask two, with everything around it to be scripted and looked at."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Final

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.demand import Demand
from app.domain.capacity.shares import RequestClass
from app.domain.identity.route_policy import ANYWHERE, RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import Limit, scopes_of
from app.domain.quota.reservation import Amounts, Ask, Reservation
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Fleet, Target, Tiers
from app.domain.routing.doubts import Doubts
from app.domain.routing.first_tokens import FirstTokens
from app.domain.routing.health import Health
from app.domain.routing.hedge_policy import HedgePolicy
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.retry_budget import RetryBudget
from app.domain.routing.route import Choices, plan_route
from app.domain.routing.warm_cache import WarmCaches
from app.observation import Observation
from app.stages.upstream import Hedging, Judging, Retries, Upstreams
from app.stages.upstream.hedge_account import HedgeAccount
from app.standing import Standing
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.accounts import PRICES, FakeAccounts, next_id
from tests.fakes.call import FakeCall
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.gated import GatedUpstream
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import deployment

STREAM: Final = read_request(
    match("POST", "/v1/chat/completions", ""), b'{"model":"gpt-4o","stream":true}'
)
PROMPT: Final = 1_000
ALWAYS: Final = HedgePolicy(frozenset(RequestClass), after_s=1.0, percent=100)


class Hedged:
    """Requests of one tenant; the delay before a hedge ends when `late` is called."""

    def __init__(
        self,
        *tiers: tuple[str, ...],
        policy: HedgePolicy = ALWAYS,
        routing: RoutePolicy = ANYWHERE,
        reasoning: tuple[str, ...] = (),
    ) -> None:
        made = [replace(deployment(n), reasons=n in reasoning) for tier in tiers for n in tier]
        self.tiers: Tiers = tuple(tuple(Target(name) for name in tier) for tier in tiers)
        self.fleet = Fleet({each.name: each for each in made}, {"gpt-4o": self.tiers})
        self.clock = FakeClock()
        self.holds = FakeHoldBoard()
        self.upstream = GatedUpstream(self.clock)
        self.accounts = FakeAccounts(self.clock)
        self.capacity = CapacityBook("a")
        self.tenant = Tenant("acme", routing=routing)
        self.permitted = routing  # by now
        self.limits: tuple[Limit, ...] = ()
        self.first_tokens = FirstTokens()
        self.budget = RetryBudget(policy.budget)
        self.slept: list[float] = []
        self._late = asyncio.Event()
        payer = HedgeAccount(self.accounts, PRICES, self.clock, new_id=next_id("hedge-"))
        self.hedging = Hedging(
            policy, self.first_tokens, self.budget, payer, self.clock, sleep=self._sleep
        )
        self.standing = Standing(self.holds, self.capacity, Health(), WarmCaches(), lambda: 0.5)
        self.upstreams = Upstreams(
            self.fleet,
            self.upstream,
            Judging(self.standing, Doubts()),
            self.clock,
            retries=Retries(RetryBudget(), hedging=self.hedging),
            rules=LiveRules(dict, lambda _tenant: self.permitted),
        )
        self.observation = Observation(FakeCall(), self.clock)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self._late.wait()

    def late(self) -> None:
        """The time is over after which another one is asked."""
        self.clock.advance(1.0)
        self._late.set()

    def begin(self, request: InferenceRequest = STREAM) -> None:
        """A request that was admitted."""
        now, observation = self.clock.unix(), Observation(FakeCall(), self.clock)
        days, months = days_around(now), months_around(now)
        amounts = Amounts(1, PROMPT + 100, 2 * PROMPT + 800)
        ask = Ask("r", "acme", scopes_of("k1", "gpt-4o"), amounts, self.limits, days, months)
        observation.reservation = Reservation(ask, "g", days[1], months[1])
        observation.principal = Principal(self.tenant, "k1")
        observation.request = request
        observation.demand = Demand(PROMPT, 100)
        choices = Choices(self.tiers)
        outlooks = self.standing.outlooks(choices.names, None, self.clock.now())
        observation.plan = plan_route(choices, outlooks, now=self.clock.now(), draw=lambda: 0.0)
        self.observation = observation

    def asked(self, request: InferenceRequest = STREAM) -> AbstractAsyncContextManager[Answer]:
        """The search for its answer."""
        self.begin(request)
        assert self.observation.plan is not None
        return self.upstreams.answer(self.observation.plan, request, {}, self.observation)

    async def play(self, request: InferenceRequest = STREAM) -> str:
        """Who answered; nothing is open or held when it is over."""
        async with self.asked(request) as answer:
            still_open = self.upstream.scripted.still_open
            assert still_open in ([], [answer.rest])  # the others were closed before a byte is out
            heard = b"".join(answer.take_frames())
            while answer.rest is not None and (data := await answer.rest.read(1.0)):
                heard += data
        self.nothing_is_left()
        others = (name for name in self.fleet.deployments if name != answer.deployment.name)
        assert not any(f"from {name}".encode() in heard for name in others)
        return answer.deployment.name

    def nothing_is_left(self) -> None:
        """Every connection is closed, every reservation of a hedge settled."""
        assert not self.upstream.scripted.still_open
        assert self.accounts.held == 0

    @property
    def attempts(self) -> list[tuple[str, Verdict]]:
        """As the receipt will have them."""
        return [(each.deployment, each.verdict) for each in self.observation.attempts]


def streams(hedged: Hedged, *names: str) -> None:
    """These deployments answer with their own names."""
    for name in names:
        hedged.upstream(name).streams(f"from {name}", " and that is all")
