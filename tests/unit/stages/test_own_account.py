"""What a tenant's own key is told of its account."""

from __future__ import annotations

import msgspec

from app.domain.cache.policy import CachePolicy, ExactPolicy, SemanticPolicy
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.domain.quota.limit import LimitName, LimitRule, Mode
from app.stages.own_account import OwnAccount
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import FakeClock
from tests.fakes.reply import RecordingReply

RULES = (
    LimitRule(LimitName.RPM, 5),
    LimitRule(LimitName.USD_PER_DAY, 0.5, Mode.SOFT, model="gpt-4o"),
    LimitRule(LimitName.TPM, 7, key_id="another"),
)


async def test_a_spill_budget_is_told() -> None:
    """Beside the limits, in its own scope."""
    clock, reply = FakeClock(), RecordingReply()
    tenant = Tenant("acme", limits=RULES, routing=RoutePolicy(spill_usd_per_day=2.5))
    await OwnAccount(FakeAccounts(clock), clock).answer(Principal(tenant, "k1"), reply)
    said = msgspec.json.decode(reply.body)
    assert said["limits"][2:] == [
        {
            "name": "usd_per_day",
            "scope": "spill",
            "mode": "spill",
            "unit": "usd",
            "limit": 2.5,
            "used": 3e-9,
            "left": 2.499999997,
        }
    ]
    assert said["used"]["day"] == {"requests": 4, "tokens": 5, "usd": 7e-9}


async def test_both_spill_budgets_are_told() -> None:
    """The hour's and the day's, of one scope."""
    clock, reply = FakeClock(), RecordingReply()
    routing = RoutePolicy(spill_usd_per_hour=1.0, spill_usd_per_day=2.5)
    principal = Principal(Tenant("acme", routing=routing), "k1")
    await OwnAccount(FakeAccounts(clock), clock).answer(principal, reply)
    told = [
        (each["name"], each["scope"], each["limit"])
        for each in msgspec.json.decode(reply.body)["limits"]
    ]
    assert told == [("usd_per_hour", "spill", 1.0), ("usd_per_day", "spill", 2.5)]


async def test_limits_and_totals_are_told() -> None:
    """Each limit that this key may meet, in its own unit; of the totals those of day and month."""
    clock, reply = FakeClock(), RecordingReply()
    principal = Principal(Tenant("acme", limits=RULES), "k1")
    await OwnAccount(FakeAccounts(clock), clock).answer(principal, reply)
    said = msgspec.json.decode(reply.body)
    assert (reply.status, said["tenant"], said["key_id"]) == (200, "acme", "k1")
    assert said["limits"] == [
        {
            "name": "rpm",
            "scope": "tenant",
            "mode": "hard",
            "unit": "requests",
            "limit": 5,
            "used": 1,
            "left": 4,
        },
        {
            "name": "usd_per_day",
            "scope": "model:gpt-4o",
            "mode": "soft",
            "unit": "usd",
            "limit": 0.5,
            "used": 2e-9,
            "left": 0.499999998,
        },
    ]
    assert said["used"] == {
        "day": {"requests": 3, "tokens": 4, "usd": 6e-9},
        "month": {"tokens": 5, "usd": 7e-9},
    }


async def test_caches_in_force_are_told() -> None:
    """By model, in the configuration's names; where none is on, none."""
    clock, reply = FakeClock(), RecordingReply()
    on = CachePolicy(ExactPolicy(enabled=True, ttl_s=60.0), SemanticPolicy(threshold=0.2))
    principal = Principal(Tenant("acme"), "k1")

    async def caches(policies: dict[str, CachePolicy]) -> object:
        reply = RecordingReply()
        await OwnAccount(FakeAccounts(clock), clock, lambda _: policies).answer(principal, reply)
        return msgspec.json.decode(reply.body)["caches"]

    semantic = {"enabled": False, "ttl": 3600.0, "threshold": 0.2, "shadow": False}
    told = {"exact": {"enabled": True, "ttl": 60.0}, "semantic": semantic}
    assert await caches({"gpt-4o": on}) == {"gpt-4o": told}
    assert await caches({}) == {}
    await OwnAccount(FakeAccounts(clock), clock).answer(principal, reply)
    assert msgspec.json.decode(reply.body)["caches"] == {}
