"""A whole gateway on fakes, for tests that tell a story from the client's call to the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.adapters.aside import Aside
from app.cohort import Cohort
from app.domain.cache.error_rate import Comparison
from app.domain.cache.policy import UNSAID, policy_of
from app.domain.call.errand import Answered, Errand
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.shares import RequestClass
from app.domain.identity.tenant import Tenant
from app.domain.ledger.completion import Receipt
from app.domain.policy.rules import InputPolicy
from app.domain.routing.deployment import Api, Deployment, Fleet, Kind, Target, Timeouts
from app.domain.routing.doubts import Doubts
from app.domain.routing.health import Health
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.retry_budget import RetryBudget
from app.domain.routing.warm_cache import WarmCaches
from app.errands import Errands
from app.gateway import Gateway
from app.ports import Accounts, AnswerCache, Clock, Tracing
from app.stages.admission import Admission
from app.stages.authentication import Authentication
from app.stages.caching import (
    ByMeaning,
    Caching,
    Flights,
    Judge,
    Judgement,
    Keeping,
    Limits,
    Lookups,
    Means,
    Measuring,
    Replay,
    Rules,
    TheSame,
)
from app.stages.caching.measuring import Hit
from app.stages.catalogue import Catalogue
from app.stages.own_account import OwnAccount
from app.stages.ownership import Ownership
from app.stages.policies import Policies
from app.stages.relay import Relay
from app.stages.routing import Routing, Waiting
from app.stages.settlement import Settlement
from app.stages.telemetry import Telemetry
from app.stages.upstream import Judging, Retries, Upstreams
from app.standing import Standing
from app.waiting import WaitingRoom
from tests.fakes.accounts import PRICES, FakeAccounts, FakeEstimator, next_id
from tests.fakes.answer_cache import FakeAnswerCache
from tests.fakes.background_charges import FakeBackgroundCharges
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.keys import FakeKeyDirectory
from tests.fakes.measured_errors import FakeMeasuredErrors
from tests.fakes.observer import RecordingObserver
from tests.fakes.owners import FakeResponseOwners
from tests.fakes.reply import RecordingReply
from tests.fakes.upstream import ScriptedUpstream

ACME = Tenant("acme")
RIVAL = Tenant("rival", frozenset({"gpt-4o"}))


def deployment(
    name: str, *, window: int | None = None, timeouts: Timeouts | None = None
) -> Deployment:
    """A deployment; its kind is in its name."""
    return Deployment(
        name=name,
        kind=Kind.PTU if name.startswith("ptu") else Kind.PAYGO,
        endpoint=f"https://{name}.example",
        api=Api.V1,
        azure_name=f"{name}-4o",
        model="gpt-4o",
        context_window=window,
        timeouts=timeouts or Timeouts(),
    )


def fleet(*deployments: Deployment | str, model: str = "gpt-4o") -> Fleet:
    """Deployments that serve one model, each in a tier of its own."""
    made = [deployment(one) if isinstance(one, str) else one for one in deployments]
    tiers = tuple((Target(one.name),) for one in made)
    return Fleet({one.name: one for one in made}, {model: tiers})


def no_waiting(clock: Clock) -> Waiting:
    """Nobody waits for room."""
    return Waiting(WaitingRoom(clock), dict.fromkeys(RequestClass, 0.0))


@dataclass(frozen=True, slots=True)
class Near:
    """A judgement that looks at distances alone."""

    serves: bool
    refused_by: str = ""


class House:
    """Every stage, wired; what stands around it is there to be scripted and looked at."""

    def __init__(
        self,
        served: Fleet | None = None,
        *,
        tenants: Sequence[Tenant] = (),
        accounts: Accounts | None = None,
        answers: AnswerCache | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Without a fleet: a PTU deployment first, then a pay-as-you-go one.

        `accounts` and `answers` are real ones, where the story is about them; without `tracing`
        nothing is traced.
        """
        self.fleet = served or fleet("ptu", "paygo")
        self.clock = FakeClock()
        self.holds = FakeHoldBoard()
        self.capacity = CapacityBook("house")
        self.standing = Standing(self.holds, self.capacity, Health(), WarmCaches(), lambda: 0.5)
        self.owners = FakeResponseOwners()
        self.background = FakeBackgroundCharges()
        self.waiting = no_waiting(self.clock)
        self.upstream = ScriptedUpstream(self.clock)
        self.accounts = FakeAccounts(self.clock)
        self.estimator = FakeEstimator()
        self.observer = RecordingObserver()
        self.tracing = tracing
        self.answers = FakeAnswerCache(self.clock)
        self.points: dict[str, Sequence[float]] = {}  # of texts; others are near to none
        self.embedder = FakeEmbedder(self.points, patience_s=30.0)
        self.evidence = FakeMeasuredErrors(self.clock, widest=0.1)
        self.aside = Aside()
        self.comparison = Comparison.SAME  # what comparing two answers comes to
        self.compared: list[tuple[bytes, bytes]] = []  # kept and fresh answers
        self.drawn = 0.5  # whether a hit is asked upstream, too
        self._next_errand = next_id("errand-")
        self.generation = object()  # another one after an eviction
        self.version = object()  # another one when what tenants may do has changed
        self.rule = UNSAID  # what the configuration says of the caches
        self.judge: Judge = lambda _asked, _kept, distance, widest: Near(distance <= widest)
        keys = FakeKeyDirectory(*(tenants or (ACME, RIVAL)))
        self.gateway = self._gateway(keys, accounts or self.accounts, answers or self.answers)

    def _gateway(self, keys: FakeKeyDirectory, accounts: Accounts, answers: AnswerCache) -> Gateway:
        rules = LiveRules(version=lambda: self.version)
        return Gateway(
            clock=self.clock,
            cohort=Cohort(),
            telemetry=Telemetry([self.observer], self.tracing),
            settlement=Settlement(accounts, self.estimator, PRICES, self.background),
            admission=Admission(
                accounts,
                self.estimator,
                fleet=self.fleet,
                prices=PRICES,
                clock=self.clock,
                new_id=next_id(),
            ),
            caching=self._caching(answers),
            authentication=Authentication(keys),
            catalogue=Catalogue(self.fleet, created=1_790_000_000),
            own_account=OwnAccount(accounts, self.clock),
            ownership=Ownership(self.owners),
            policies=Policies(InputPolicy(), self.fleet, self.estimator),
            routing=Routing(
                self.fleet,
                self.standing,
                self.clock,
                waiting=self.waiting,
                rules=rules,
                draw=lambda: 0.5,
            ),
            upstreams=Upstreams(
                self.fleet,
                self.upstream,
                Judging(self.standing, Doubts()),
                self.clock,
                retries=Retries(RetryBudget()),
                rules=rules,
            ),
            relay=Relay(heartbeat_s=15.0),
            max_json_depth=64,
        )

    def _caching(self, answers: AnswerCache) -> Caching:
        by_meaning = ByMeaning(
            answers,
            self.embedder,
            self._judge,
            clock=self.clock,
            limits=Limits(patience_s=30.0, widest=0.1, tightened=self.evidence.threshold),
        )
        self.measuring = Measuring(
            Means(self, self, self.evidence, self.aside), clock=self.clock, draw=lambda: self.drawn
        )
        return Caching(
            Rules(
                policy=lambda _model, said: policy_of(self.rule, UNSAID, said),
                salt=lambda _model: b"",
            ),
            Lookups(
                TheSame(answers, self.clock),
                by_meaning,
                Flights(patience_s=30.0, generation=lambda _tenant: (self.generation,)),
                self.measuring,
            ),
            Keeping(answers, PRICES, self.clock, at_most=100_000),
            Replay(self.clock, tokens_per_s=0),
            clock=self.clock,
        )

    def _judge(self, asked: str, kept: str, distance: float, widest: float) -> Judgement:
        return self.judge(asked, kept, distance, widest)

    async def run(self, errand: Errand) -> Answered:
        """The port Errands, of stages that are there only when it is asked."""
        return await self.errands.run(errand)

    async def compare(self, hit: Hit, fresh: bytes) -> Comparison:
        """The port Comparator, as it is told."""
        self.compared.append((hit.entry.body, fresh))
        return self.comparison

    @property
    def errands(self) -> Errands:
        """Requests of the gateway's own, by the same stages."""
        stages = self.gateway
        return Errands(
            clock=self.clock,
            telemetry=stages.telemetry,
            settlement=stages.settlement,
            admission=stages.admission,
            routing=stages.routing,
            upstreams=stages.upstreams,
            relay=stages.relay,
            new_id=self._next_errand,
        )

    async def serve(self, call: FakeCall) -> tuple[RecordingReply, Receipt]:
        """Let the gateway answer a call; refusals are raised."""
        reply = RecordingReply()
        receipt = await self.gateway.handle(call, reply)
        return reply, receipt

    @property
    def has_concluded(self) -> bool:
        """Whether the request is over and only to be accounted for."""
        return bool(self.accounts.rows) or self.estimator.begun > 0

    @property
    def receipt(self) -> Receipt:
        """The only receipt; a tenant's has one row in the ledger, and nothing is held any more."""
        (receipt,) = self.observer.receipts
        ids = [row.request_id for row in self.accounts.rows]
        assert ids == ([receipt.request_id] if receipt.tenant else [])
        assert self.accounts.held == 0
        return receipt
