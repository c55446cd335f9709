"""What is reserved for a request, and what a refusal says."""

from __future__ import annotations

import pytest
from msgspec import structs

from app.domain.call.request import InferenceRequest
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.domain.ledger.ledger_row import decode
from app.domain.quota.limit import SPILLED, LimitName, LimitRule, spill_limits
from app.domain.routing.deployment import Fleet
from app.domain.routing.route import Choices
from app.errors import BudgetExhausted, QuotaExceeded, QuotaUnavailable
from app.observation import Observation
from app.stages.admission import Admission
from app.wire.routes import match
from tests.fakes.accounts import PRICES, FakeAccounts, FakeEstimator, next_id
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.house import deployment, fleet

CHAT = InferenceRequest(match("POST", "/v1/chat/completions", ""), "gpt-4o", b"{}")


class Desk:
    """Admission, and who comes to it."""

    def __init__(self, *, window: int | None = None) -> None:
        self.clock = FakeClock()
        self.routing = RoutePolicy()
        self.accounts = FakeAccounts(self.clock)
        self.estimator = FakeEstimator(prompt=10)
        self.fleet: Fleet = fleet(deployment("ptu", window=window), "paygo")
        self.admission = Admission(
            self.accounts,
            self.estimator,
            fleet=self.fleet,
            prices=PRICES,
            clock=self.clock,
            new_id=next_id(),
        )

    async def admit(self, request: InferenceRequest = CHAT, *rules: LimitRule) -> Observation:
        """Let a request in; refusals are raised."""
        observation = Observation(FakeCall(), self.clock)
        principal = Principal(Tenant("acme", limits=rules, routing=self.routing), "k1")
        await self.admission.admit(
            principal, request, Choices(self.fleet.models["gpt-4o"]), observation
        )
        return observation


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        (structs.replace(CHAT, output_cap=50), 60),
        (structs.replace(CHAT, output_cap=50, choices=3), 160),
        (CHAT, 110),
        (structs.replace(CHAT, choices=2), 210),
        (structs.replace(CHAT, output_cap=1, choices=10**9), 138),
        (structs.replace(CHAT, output_cap=5, choices=2, prompts=4), 50),
        (structs.replace(CHAT, output_cap=1, choices=128, prompts=10**6), 2058),
        (structs.replace(CHAT, route=match("POST", "/v1/embeddings", "")), 10),
    ],
    ids=[
        "capped",
        "choices",
        "learned",
        "learned-choices",
        "absurd",
        "prompts",
        "many-prompts",
        "embeddings",
    ],
)
async def test_the_largest_answer_is_reserved(
    desk: Desk, request_: InferenceRequest, tokens: int
) -> None:
    """The prompt, and the cap or what is learned, times the choices; at the dearest price."""
    reservation = (await desk.admit(request_)).reservation
    assert reservation is not None
    amounts = reservation.ask.amounts
    assert (amounts.requests, amounts.tokens) == (1, tokens)
    assert amounts.nano_usd == 10 * 2 + (tokens - 10) * 8


@pytest.mark.parametrize(
    ("usd", "tiers", "asked"),
    [(5, 2, True), (0, 2, True), (None, 2, False), (5, 1, False)],
    ids=["budget", "nothing", "none", "nowhere"],
)
async def test_money_to_spill_is_asked_for_where_there_is_a_budget_of_it(
    desk: Desk, usd: float | None, tiers: int, *, asked: bool
) -> None:
    """And somewhere to spill to; else nothing is asked for that was not before."""
    desk.routing = RoutePolicy(spill_usd_per_day=usd)
    model = desk.fleet.models["gpt-4o"][:tiers]
    observation = Observation(FakeCall(), desk.clock)
    principal = Principal(Tenant("acme", routing=desk.routing), "k1")
    await desk.admission.admit(principal, CHAT, Choices(model), observation)
    (ask,) = desk.accounts.asks
    assert (SPILLED in ask.scopes) is asked
    assert ask.limits == (spill_limits(usd) if asked else ())
    assert observation.reservation is not None
    assert observation.reservation.may_spill is (usd != 0)


async def test_no_answer_is_longer_than_the_window() -> None:
    """A cap of a billion is not held against a small limit."""
    desk = Desk(window=1000)
    reservation = (await desk.admit(structs.replace(CHAT, output_cap=10**9))).reservation
    assert reservation is not None
    assert reservation.ask.amounts.tokens == 1010


async def test_what_costs_nothing_reserves_nothing(desk: Desk) -> None:
    """Reading a stored response."""
    reading = InferenceRequest(match("GET", "/v1/responses/resp_1", ""), "", b"")
    assert (await desk.admit(reading)).reservation is None
    assert desk.accounts.asks == []


async def test_reservations_are_named_by_us(desk: Desk) -> None:
    """Two requests that call themselves the same are two."""
    first, second = (await desk.admit(), await desk.admit())
    assert first.request_id == second.request_id
    assert [ask.id for ask in desk.accounts.asks] == ["r1", "r2"]


async def test_the_draft_says_what_was_reserved(desk: Desk) -> None:
    """Should nobody settle it, the ledger knows whose it was."""
    reservation = (await desk.admit()).reservation
    assert reservation is not None
    row = decode(reservation.ask.draft)
    assert (row.id, row.tenant, row.key_id, row.model) == ("r1", "acme", "k1", "gpt-4o")
    assert (row.reserved_tokens, row.request_id) == (110, "req_test")


async def test_a_full_minute_says_when_it_has_room(desk: Desk) -> None:
    """OpenAI's code, the limit by name, the wait, and the caller's own headers."""
    rule = LimitRule(LimitName.RPM, 1)
    await desk.admit(CHAT, rule)
    with pytest.raises(QuotaExceeded) as refused:
        await desk.admit(CHAT, rule)
    error = refused.value
    assert (error.status, error.code, error.type) == (
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
    )
    assert error.message == (
        "The limit rpm of this tenant is reached: limit 1 requests, used 1 requests, "
        "requested 1 requests."
    )
    assert (error.retry_after_s, error.should_retry) == (60, True)
    assert error.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_spent_budget_is_not_worth_a_retry(desk: Desk) -> None:
    """Another code, so that SDKs do not hammer until midnight."""
    rule = LimitRule(LimitName.USD_PER_DAY, 0.000001, model="gpt-4o")
    await desk.admit(CHAT, rule)
    with pytest.raises(BudgetExhausted) as refused:
        await desk.admit(CHAT, rule)
    assert (refused.value.code, refused.value.type) == ("insufficient_quota", "insufficient_quota")
    assert refused.value.should_retry is False
    assert "of this tenant's model:gpt-4o is reached: limit $0.000001" in refused.value.message


async def test_what_never_fits_is_not_worth_a_retry(desk: Desk) -> None:
    """A rate that is smaller than the request."""
    with pytest.raises(QuotaExceeded) as refused:
        await desk.admit(CHAT, LimitRule(LimitName.TPM, 100))
    assert (refused.value.retry_after_s, refused.value.should_retry) == (None, False)


async def test_an_account_out_of_reach_is_said_to_be(desk: Desk) -> None:
    """By a tenant's own choice."""
    desk.accounts.unavailable = True
    with pytest.raises(QuotaUnavailable):
        await desk.admit()
