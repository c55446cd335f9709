"""One request explained afterwards: the record, read back, and in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.shares import Claim
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explained import explained
from app.domain.explain.explanation import Explanation
from app.domain.explain.kept import Packing, unpacked
from app.domain.explain.why import duration, summary, why_asked, why_candidate, why_skipped
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Tenant
from app.domain.ledger.completion import Receipt
from app.domain.quota.limit import LimitName, LimitRule
from app.errors import NoCapacity, QuotaExceeded
from tests.fakes.call import FakeCall
from tests.fakes.house import House, fleet

CALL: dict[str, Any] = {
    "model": "gpt-4o",
    "max_tokens": 8,
    "messages": [{"role": "user", "content": "Hi"}],
}


async def told(house: House) -> Explanation:
    """The explanation of a served request, as it is read back."""
    _, receipt = await house.serve(FakeCall(fields=CALL))
    return read_back(receipt)


async def refused(house: House, kind: type[Exception]) -> Explanation:
    """The same of a refused one."""
    with pytest.raises(kind):
        await house.serve(FakeCall(fields=CALL))
    return read_back(house.receipt)


def read_back(receipt: Receipt) -> Explanation:
    return explained(unpacked(Packing().packed(receipt)))


async def test_a_request_that_was_thrown_back_and_served_elsewhere() -> None:
    """Who was asked, for how long, what it told; what was reserved, and charged in its place."""
    house = House()
    headers = {"azure-openai-deployment-utilization": "104%"}
    house.upstream("ptu").answers(429, code="429", retry_after_ms=800, headers=headers).takes(0.25)
    house.upstream("paygo").completes(usage=(9, 2))
    found = await told(house)
    assert [(each.deployment, each.weight) for each in found.candidates] == [
        ("ptu", 1.0),
        ("paygo", 1.0),
    ]
    first, second = found.attempts
    assert (first.verdict, first.began_s, first.took_s) == ("throttled", 0.0, 0.25)
    assert (first.actual_utilization, first.retry_after_s) == (1.04, 0.8)
    assert (second.deployment, second.tier, second.actual_utilization) == ("paygo", 1, None)
    assert found.reserved is not None
    assert found.settled is not None
    assert (found.reserved.requests, found.reserved.tokens) == (
        1,
        house.accounts.asks[0].amounts.tokens,
    )
    assert (found.settled.input, found.settled.output) == (9, 2)
    assert found.settled.nano_usd == house.accounts.rows[0].nano_usd > 0

    assert why_asked(first) == (
        "ptu refused (429, the PTU is full, 104 % full) after 250 ms, to be asked again in 800 ms"
    )
    assert why_asked(second) == "paygo gave the answer (200) after 0 ms"
    assert summary(found)[:3] == [
        "The answer arrived whole (200) after 250 ms.",
        "It was served by paygo (paygo), the last of 2 asked.",
        "It spilled (throttled): it was refused by ptu.",
    ]
    assert why_candidate(found.candidates[1], found) == (
        "paygo was in tier 2, no use of it known, and was asked"
    )


async def test_a_request_that_a_full_ptu_would_have_refused() -> None:
    """What was predicted, and for how long; then what was not needed any more."""
    house = House(fleet("ptu", "paygo-a", "paygo-b"))
    now = house.clock.now()
    house.capacity.follow({"ptu": PtuCapacity(tokens_per_s=100.0, output_ratio=1.0)}, now)
    load = Load(Claim("acme"), Demand(prompt=6200, output=0))
    house.capacity.take("ptu", load, now)
    house.upstream("paygo-a").completes()
    found = await told(house)
    (skip,) = found.skipped
    assert (skip.reason, skip.predicted_utilization) == (SpillReason.PREDICTED, 1.0333)
    assert skip.wait_s is not None
    assert skip.wait_s == pytest.approx(2.0, abs=0.5), "what is above the brim, and a margin"
    how_long = duration(skip.wait_s)
    assert why_skipped(skip) == f"ptu had no room for {how_long} (predicted, 103 % full)"
    assert summary(found)[2] == "It spilled (predicted): it would not have fitted into ptu."
    assert why_candidate(found.candidates[1], found) == (
        "paygo-b was in tier 3, no use of it known, and was not needed: paygo-a had answered"
    )


async def test_a_request_that_nobody_had_room_for() -> None:
    """It ends with the holds; what was reserved was given back."""
    house = House(fleet("ptu"))
    house.holds.hold("ptu", house.clock.now() + 90)
    found = await refused(house, NoCapacity)
    assert [why_skipped(each) for each in found.skipped] == [
        "ptu was held for 90.0 s (as it had asked)"
    ]
    assert found.settled is not None
    assert found.settled.nano_usd == 0
    said = summary(found)
    assert said[:2] == [
        "The gateway refused it (429, rate_limit_exceeded) after 0 ms.",
        "No deployment was asked.",
    ]
    assert said[-1] == "Nothing was charged."


async def test_a_request_that_its_tenants_policy_keeps_at_home() -> None:
    """A deployment that is out of bounds is so for good."""
    house = House(tenants=[Tenant("acme", routing=RoutePolicy(regions=frozenset({"here"})))])
    deployments = house.fleet.deployments
    object.__setattr__(deployments["ptu"], "region", "here")
    house.upstream("ptu").completes()
    found = await told(house)
    (skip,) = found.skipped
    assert (skip.deployment, skip.wait_s) == ("paygo", None)
    assert why_skipped(skip) == "paygo was left out (the tenant's policy, or it is draining)"
    assert found.spill is SpillReason.NONE


async def test_a_request_over_its_limit() -> None:
    """Nothing was reserved, nobody asked. With room its limits are told."""
    rule = LimitRule(LimitName.RPM, 1)
    house = House(tenants=[Tenant("acme", limits=(rule,))])
    house.upstream("ptu").completes()
    found = await told(house)
    assert found.reserved is not None
    (limit,) = found.reserved.limits
    assert (limit.name, limit.scope, limit.amount, limit.left) == ("rpm", "tenant", 1, None)

    house.observer.receipts.clear()
    house.accounts.rows.clear()
    over = await refused(house, QuotaExceeded)
    assert (over.reserved, over.settled, over.candidates) == (None, None, ())
    assert summary(over) == [
        f"The gateway refused it (429, {over.error}) after 0 ms.",
        "No deployment was asked.",
        "Nothing was reserved.",
    ]


def test_what_cannot_be_read_is_an_error() -> None:
    """A record of another version must not break who reads it."""
    for data in (b"", b"[]", b'{"request_id": 3}'):
        with pytest.raises(ValueError, match=r"\w+Error"):
            unpacked(data)
