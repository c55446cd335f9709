"""Requests of the gateway's own, from the asking to the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from app.domain.call.errand import Errand, Purpose, of_any_model
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.domain.ledger.completion import Outcome
from app.domain.ledger.ledger_row import RowKind
from app.domain.quota.limit import LimitName, LimitRule
from app.domain.quota.reservation import Ask, Refusal, Reservation
from app.domain.routing.deployment import Deployment
from app.errors import (
    BudgetExhausted,
    NowhereAllowed,
    QuotaExceeded,
    QuotaUnavailable,
    RequestError,
    SpillgateError,
    UnknownModel,
    UpstreamDisconnected,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from app.wire.openai import read_request
from tests.fakes.answers import completion
from tests.fakes.changed import replace
from tests.fakes.house import House
from tests.fakes.upstream import ScriptedResponse

CHAT = Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS)
ACME = Tenant("acme", tags={"team": "search"})


def asked(**more: Any) -> InferenceRequest:
    fields = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **more}
    return read_request(CHAT, json.dumps(fields).encode())


def errand(tenant: Tenant = ACME, **more: Any) -> Errand:
    fields: dict[str, Any] = {
        "purpose": Purpose.SAMPLE,
        "principal": Principal(tenant, "k1"),
        "request": asked(),
        "limit_s": 30.0,
    }
    return Errand(**fields | more)


def silent(house: House) -> asyncio.Event:
    """Have upstreams never answer; set when one is asked."""
    asking = asyncio.Event()

    async def never(
        deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> ScriptedResponse:
        asking.set()
        await asyncio.Event().wait()
        raise AssertionError(deployment, request, headers)

    house.upstream.open = never  # type: ignore[method-assign]  # an upstream that does not answer
    return asking


async def test_it_is_paid_for_like_any_request() -> None:
    """One reservation, one row of the tenant whose it is, which says what it was for."""
    house = House()
    house.upstream("ptu").completes("Paris", usage=(9, 2))
    answered = await house.errands.run(errand(tags={"project": "x"}))
    assert json.loads(answered.body)["choices"][0]["message"]["content"] == "Paris"
    (row,) = house.accounts.rows
    assert (row.kind, row.tenant, row.key_id, row.errand) == (
        RowKind.SETTLED,
        "acme",
        "k1",
        "sample",
    )
    assert (row.input, row.output, row.nano_usd > 0) == (9, 2, True)
    assert row.tags == {"team": "search", "project": "x"}
    assert row.request_id == house.receipt.request_id == "errand-1"
    assert house.receipt.errand is Purpose.SAMPLE
    assert (house.accounts.held, house.upstream.still_open) == (0, [])


async def test_a_stream_is_gathered_whole() -> None:
    """As a caller would have got it: its usage is told apart, and taken out where nobody asked."""
    house = House()
    house.upstream("ptu").streams("Par", "is", usage=(9, 2))
    answered = await house.errands.run(errand(request=asked(stream=True)))
    assert answered.is_stream
    assert answered.body.endswith(b"data: [DONE]\n\n")
    assert b"prompt_tokens" not in answered.body
    assert answered.usage is not None
    assert answered.usage.output == 2


async def test_it_moves_on_like_any_request() -> None:
    """A throttled deployment is held and the next one asked."""
    house = House()
    house.upstream("ptu").answers(429, retry_after_ms=800)
    house.upstream("paygo").completes()
    await house.errands.run(errand())
    assert house.upstream.names == ["ptu", "paygo"]


def beyond_zone(tenant: Tenant) -> Tenant:
    return replace(tenant, routing=RoutePolicy(data_zones=frozenset({"eu"})))


def beyond_quota(tenant: Tenant) -> Tenant:
    return replace(tenant, limits=(LimitRule(LimitName.TPM, 1),))


def beyond_models(tenant: Tenant) -> Tenant:
    return replace(tenant, models=frozenset({"other"}))


@pytest.mark.parametrize(
    ("bound", "error"),
    [
        (beyond_zone, NowhereAllowed),
        (beyond_quota, QuotaExceeded),
        (beyond_models, UnknownModel),
    ],
)
async def test_nothing_that_its_tenant_may_not(
    bound: Callable[[Tenant], Tenant], error: type[SpillgateError]
) -> None:
    """Nobody is asked, nothing is held, and the refusal is on record."""
    house = House()
    with pytest.raises(error):
        await house.errands.run(errand(bound(ACME)))
    assert not house.upstream.asked
    assert house.accounts.held == 0
    assert house.receipt.outcome is Outcome.REFUSED


async def test_what_the_configuration_chose_need_not_be_in_a_tenants_list() -> None:
    """Its zones still bind: they are of where its data goes."""
    house = House()
    house.upstream("ptu").completes()
    await house.errands.run(errand(of_any_model(beyond_models(ACME))))
    house.version = object()
    with pytest.raises(NowhereAllowed):
        await house.errands.run(errand(of_any_model(beyond_zone(beyond_models(ACME)))))


async def test_measuring_costs_no_more_than_it_may_a_day() -> None:
    """Beside the tenant's own limits, which it leaves as they are; other errands go on."""
    house = House()
    house.upstream("ptu").completes(usage=(9, 2)).completes()
    enough = (10 * 2 + 100 * 8) / 1e9  # what one of them reserves, and no more
    await house.errands.run(errand(usd_per_day=enough))
    with pytest.raises(BudgetExhausted, match="usd_per_day"):
        await house.errands.run(errand(usd_per_day=enough))
    await house.errands.run(errand(purpose=Purpose.EMBEDDING))
    assert [row.kind for row in house.accounts.rows] == ["settled", "refused", "settled"]


async def test_measuring_takes_no_requests_place() -> None:
    """It is in no rate and in no concurrency of its tenant's, and is in its budgets."""
    names = (LimitName.RPM, LimitName.TPM, LimitName.CONCURRENCY, LimitName.USD_PER_DAY)
    tenant = replace(ACME, limits=tuple(LimitRule(name, 1000) for name in names))
    house = House()
    house.upstream("ptu").completes(usage=(9, 2)).completes()
    await house.errands.run(errand(tenant, usd_per_day=1.0))
    (ask,) = house.accounts.asks
    assert ([limit.scope for limit in ask.limits], ask.aside) == (["tenant", "measuring"], True)
    await house.errands.run(errand(tenant, purpose=Purpose.EMBEDDING))
    assert len(house.accounts.asks[1].limits) == len(names)


async def test_measuring_waits_for_the_account() -> None:
    """What a tenant's own requests may do without it, its measuring may not."""
    house = House()
    reserve = house.accounts.reserve

    async def degraded(ask: Ask, tenant: Tenant) -> Reservation | Refusal:
        granted = await reserve(ask, tenant)
        assert isinstance(granted, Reservation)
        return replace(granted, degraded="fail_open")

    house.accounts.reserve = degraded  # type: ignore[method-assign]  # an account out of reach
    house.upstream("ptu").completes()
    with pytest.raises(QuotaUnavailable):
        await house.errands.run(errand(usd_per_day=1.0))
    assert (house.upstream.asked, house.accounts.held) == ([], 0)
    await house.errands.run(errand(purpose=Purpose.EMBEDDING))


async def test_who_is_out_of_reach_pays_nothing() -> None:
    """As for any request."""
    house = House()
    house.accounts.unavailable = True
    with pytest.raises(QuotaUnavailable):
        await house.errands.run(errand())
    assert not house.upstream.asked


async def test_it_is_given_up_after_a_time() -> None:
    """What it had reserved is given back."""
    house = House()
    silent(house)
    with pytest.raises(UpstreamTimeout):
        await house.errands.run(errand(limit_s=0.01))
    (row,) = house.accounts.rows
    assert (row.kind, row.nano_usd, house.accounts.held) == (RowKind.RELEASED, 0, 0)


async def test_whoever_gives_it_up_is_gone_as_a_client_is() -> None:
    """Settled, and no error of ours."""
    house = House()
    asking = silent(house)
    task = asyncio.create_task(house.errands.run(errand()))
    await asking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.receipt.outcome is Outcome.CLIENT_DISCONNECTED


async def test_an_answer_that_breaks_off_is_none() -> None:
    """What was generated is charged."""
    house = House()
    house.upstream("ptu").streams("Par", "is").cuts_after(3)
    with pytest.raises(UpstreamDisconnected):
        await house.errands.run(errand(request=asked(stream=True)))
    (row,) = house.accounts.rows
    assert (row.kind, row.flags) == (RowKind.SETTLED, ("estimated",))


async def test_a_refusal_of_the_request_is_the_requests_fault() -> None:
    """Told apart from a deployment that failed: asking again would not help."""
    house = House()
    house.upstream("ptu").answers(400, code="content_filter")
    with pytest.raises(RequestError, match="status 400"):
        await house.errands.run(errand())
    house.upstream("ptu").answers(500, code="oops")
    house.upstream("paygo").answers(500, code="oops")
    with pytest.raises(SpillgateError) as failed:
        await house.errands.run(errand())
    assert not isinstance(failed.value, RequestError)


async def test_an_endless_answer_is_not_read_on() -> None:
    """Nobody has asked for so much."""
    house = House()
    large = completion("x" * 5 * 1024 * 1024, (9, 2), "a")
    house.upstream("ptu").answers(body=large)
    with pytest.raises(UpstreamProtocolError):
        await house.errands.run(errand())
