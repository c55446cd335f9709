"""A configuration's tenants and keys as entries, and where the directory differs from them."""

from __future__ import annotations

from typing import Any

from app.cli.key import new_key
from app.domain.capacity.shares import RequestClass
from app.domain.identity.api_key import ApiKey, digest
from app.domain.identity.directory import Directory, EntraIds, KeyEntry, TenantEntry
from app.domain.identity.directory_change import directory_of
from app.domain.identity.route_policy import ANYWHERE, RoutePolicy, Spill
from app.domain.identity.seeds import configured_pepper, differences, seeded_tenants, seeds_of
from app.domain.identity.tenant import LossPolicy
from app.domain.quota.limit import LimitName, LimitRule
from app.settings import Settings, build
from tests.fakes.changed import replace

KEY = new_key("test")
ID = KEY.split("_")[2]
APP = "0b07f429-9f4b-4714-9392-cc5e8e80c8b0"
GROUP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
TENANT: dict[str, Any] = {
    "keys": [KEY],
    "models": ["gpt-4o"],
    "limits": {"rpm": 60, "usd_per_day": 0.5},
    "time_zone": "Europe/Berlin",
    "redis_loss": "fail_open",
    "trace_content": True,
    "tags": {"cost_center": "42", "team": "search"},
    "entra": {"applications": [APP], "groups": [GROUP]},
    "class": "batch",
    "ptu_share": 0.25,
    "ptu_weight": 2,
    "spill": {"usd_per_day": 9.5},
    "data_zones": ["us", "eu"],
    "regions": ["eastus"],
}


def settings(pepper: str | None = "a pepper of some length", **tenants: Any) -> Settings:
    azure = {"endpoint": "https://x.openai.azure.com", "model": "gpt-4o", "kind": "paygo"}
    return build(
        {
            "deployments": {"d": azure | {"auth": {"api_key": "x"}}},
            "models": {"gpt-4o": {"tiers": [["d"]]}},
            "tenants": tenants or {"search": TENANT},
            "entra": {"directory": APP, "audiences": ["api://spillgate"]},
            "keys": {"pepper": pepper} if pepper else {},
        }
    )


def in_force(**changes: Any) -> Directory:
    """What the seeds made, the tenant changed afterwards."""
    pepper = configured_pepper(settings()) or b""
    tenant, key = seeds_of(settings(), pepper)
    assert isinstance(tenant, TenantEntry)
    return directory_of([replace(tenant, **changes), key], 1)


def test_seeds_are_what_the_configuration_says() -> None:
    """Of a key only what it cannot be recovered from."""
    tenant, key = seeds_of(settings(), b"pepper", created_at=7.0)
    assert tenant == TenantEntry(
        "search",
        models=("gpt-4o",),
        limits=(LimitRule(LimitName.RPM, 60), LimitRule(LimitName.USD_PER_DAY, 0.5)),
        time_zone="Europe/Berlin",
        redis_loss=LossPolicy.FAIL_OPEN,
        trace_content=True,
        tags={"cost_center": "42", "team": "search"},
        entra=EntraIds(applications=(APP,), groups=(GROUP,)),
        routing=RoutePolicy(
            request_class=RequestClass.BATCH,
            ptu_share=0.25,
            weight=2.0,
            spill_usd_per_day=9.5,
            data_zones=frozenset({"us", "eu"}),
            regions=frozenset({"eastus"}),
        ),
    )
    parsed = ApiKey.parse(KEY)
    assert parsed
    hashed = digest(b"pepper", KEY).hex()
    assert key == KeyEntry(parsed.id, "search", hashed, last4=KEY[-4:], created_at=7.0)
    assert KEY not in repr(key)


def test_a_tenant_that_says_nothing_of_routing_may_go_anywhere() -> None:
    """And one that may not spill is told apart from one with a budget for it."""
    plain, kept = seeded_tenants(settings(plain={}, kept={"spill": "deny"}))
    assert plain.routing == ANYWHERE
    assert kept.routing == RoutePolicy(spill=Spill.DENY)


def test_spill_budgets_are_seeded_as_they_are_said() -> None:
    """By the hour, by the day or both; a tenant that has other ones differs by a line."""
    both = {"usd_per_hour": 5, "usd_per_day": 50}
    (seeded,) = seeded_tenants(settings(t={"spill": both}))
    assert seeded.routing == RoutePolicy(spill_usd_per_hour=5, spill_usd_per_day=50)
    assert seeded.routing.spill_budgets == both
    hourly = replace(seeded, routing=RoutePolicy(spill_usd_per_hour=5))
    (line,) = differences(settings(t={"spill": both}), directory_of([hourly], 1))
    found, wanted = "up to 5 dollars an hour", "up to 5 dollars an hour and 50 dollars a day"
    assert line == f"tenants.t.spill: {found} in force, not {wanted}"


def test_what_the_seeds_made_does_not_differ() -> None:
    """And neither does what the configuration never spoke of."""
    assert differences(settings(), in_force()) == []
    more = LimitRule(LimitName.RPM, 5, key_id="k")
    tags, limits = TENANT["tags"] | {"x": "y"}, in_force().tenants["search"].limits
    changed = in_force(tags=tags, limits=(*limits, more))
    assert differences(settings(), changed) == []


def test_every_difference_is_a_line() -> None:
    """What is in force first, then what the configuration says."""
    changed = in_force(
        disabled=True,
        models=None,
        time_zone="UTC",
        redis_loss=LossPolicy.FAIL_CLOSED,
        trace_content=False,
        limits=(LimitRule(LimitName.RPM, 30),),
        tags={"team": "sales"},
        entra=EntraIds(objects=(APP,), groups=(GROUP, APP)),
        routing=RoutePolicy(data_zones=frozenset({"us"})),
    )
    assert differences(settings(), changed) == [
        "tenants.search: is disabled",
        "tenants.search.models: all in force, not gpt-4o",
        "tenants.search.time_zone: UTC in force, not Europe/Berlin",
        "tenants.search.redis_loss: fail_closed in force, not fail_open",
        "tenants.search.trace_content: false in force, not true",
        "tenants.search.class: standard in force, not batch",
        "tenants.search.ptu_share: 0 in force, not 0.25",
        "tenants.search.ptu_weight: 1 in force, not 2",
        "tenants.search.spill: allow in force, not up to 9.5 dollars a day",
        "tenants.search.data_zones: us in force, not eu, us",
        "tenants.search.regions: any in force, not eastus",
        "tenants.search.tags.cost_center: none in force, not 42",
        "tenants.search.tags.team: sales in force, not search",
        "tenants.search.limits.rpm: 30 in force, not 60",
        "tenants.search.limits.usd_per_day: none in force, not 0.5",
        f"tenants.search.entra.applications: {APP} not in force",
    ]


def test_differences_of_keys() -> None:
    """Gone, moved, disabled, or not the key it was."""
    directory = in_force()
    key = directory.keys[ID]
    place = f"tenants.search.keys: key {ID}"

    def having(**changes: Any) -> list[str]:
        keys = {ID: replace(key, **changes)}
        return differences(settings(), replace(directory, keys=keys))

    assert differences(settings(), replace(directory, keys={})) == [f"{place} does not exist"]
    assert having(tenant="sales") == [f"{place} belongs to tenant sales"]
    assert having(disabled=True) == [f"{place} is disabled"]
    stored_otherwise = f"{place} is another key, or was stored under another pepper"
    assert having(digest="00") == [stored_otherwise]


def test_a_tenant_that_is_gone_is_one_line() -> None:
    """Its keys each have their own."""
    assert differences(settings(empty={}), Directory()) == ["tenants.empty: does not exist"]


def test_without_a_configured_pepper_digests_are_not_compared() -> None:
    """Nobody here knows the pepper that Redis keeps."""
    assert configured_pepper(settings(pepper=None)) is None
    assert differences(settings(pepper=None), in_force()) == []
