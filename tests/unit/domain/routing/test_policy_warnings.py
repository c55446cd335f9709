"""What route policies come to, where that may surprise."""

from __future__ import annotations

from typing import Any

from app.domain.identity.seeds import seeded_tenants
from app.domain.quota.limit import LimitName, LimitRule
from app.domain.routing.policy_warnings import policy_warnings
from app.settings import Settings, build
from tests.fakes.changed import replace

AZURE: dict[str, Any] = {
    "endpoint": "https://x.openai.azure.com",
    "model": "gpt-4o",
    "auth": {"api_key": "x"},
}


def settings(**tenants: Any) -> Settings:
    """A PTU and PAYGO in each of two zones; `mini` is served in one of them alone."""
    return build(
        {
            "deployments": {
                "ptu-us": AZURE | {"kind": "ptu", "ptus": 50, "data_zone": "us"},
                "ptu-eu": AZURE | {"kind": "ptu", "ptus": 50, "data_zone": "eu"},
                "paygo-us": AZURE | {"kind": "paygo", "data_zone": "us", "region": "eastus"},
                "paygo-eu": AZURE | {"kind": "paygo", "data_zone": "eu"},
            },
            "models": {
                "gpt-4o": {"tiers": [["ptu-us", "ptu-eu"], ["paygo-us", "paygo-eu"]]},
                "mini": {"tiers": [["paygo-us"]]},
                "fallback": {"tiers": [["paygo-us"], ["ptu-eu"]]},
                "small": {"alias": "mini"},
            },
            "tenants": tenants,
        }
    )


def warnings(**tenants: Any) -> list[str]:
    """Of tenants as they are configured."""
    configured = settings(**tenants)
    return list(policy_warnings(configured, seeded_tenants(configured)))


def test_a_policy_that_leaves_every_model_is_no_warning() -> None:
    """Whatever else it forbids."""
    assert warnings(t={}, u={"data_zones": ["us"]}, v={"spill": "deny", "models": ["gpt-4o"]}) == []
    tenth = {"ptu_share": 0.1}
    assert warnings(**{f"t{number}": tenth for number in range(10)}) == []


def test_a_place_that_no_deployment_is_in_is_named() -> None:
    """With the one that was probably meant, and what it leaves unserved."""
    assert warnings(t={"data_zones": ["us", "EU"]}) == [
        "tenants.t.data_zones: no deployment is in EU; did you mean eu?"
    ]
    assert warnings(t={"regions": ["westus"], "models": ["mini"]}) == [
        "tenants.t.regions: no deployment is in westus; did you mean eastus?",
        "tenants.t: its data zones, regions and spill policy leave no deployment of mini",
    ]


def test_models_that_nobody_may_serve_are_named() -> None:
    """Of those that the tenant may use, the first tier alone where it may not spill."""
    left = "its data zones, regions and spill policy leave no deployment of"
    assert warnings(t={"data_zones": ["eu"]}) == [f"tenants.t: {left} mini, small"]
    assert warnings(t={"data_zones": ["eu"], "models": ["gpt-4o"]}) == []
    kept = {"data_zones": ["eu"], "spill": "deny"}
    assert warnings(t=kept) == [f"tenants.t: {left} mini, fallback, small"]


def test_a_ptu_that_is_promised_twice_is_named() -> None:
    """Counting those who may use it: not who is bound to another zone or asks for other models."""
    most = {"ptu_share": 0.7}
    scaled = "together they get all of it, each in proportion"
    assert warnings(a=most, b=most | {"data_zones": ["eu"]}) == [
        "tenants.b: its data zones, regions and spill policy leave no deployment of mini, small",
        f"deployments.ptu-eu: the guaranteed ptu_shares come to 1.4 (a 0.7, b 0.7); {scaled}",
    ]
    assert warnings(a=most, b=most | {"models": ["mini"]}) == []


def test_a_disabled_tenant_asks_for_nothing() -> None:
    """And a model that is gone is no longer anybody's."""
    configured = settings(a={"ptu_share": 0.7}, b={"ptu_share": 0.7, "data_zones": ["uk"]})
    first, second = seeded_tenants(configured)
    disabled = replace(second, disabled=True)
    assert list(policy_warnings(configured, [first, disabled])) == []
    gone = replace(first, models=("gone",))
    assert list(policy_warnings(configured, [gone])) == []


def test_a_limit_that_an_alias_goes_past_is_named() -> None:
    """Unless the alias has it, too, or the tenant may not use it."""
    configured = settings(a={}, b={"models": ["mini"]})
    free, bound = seeded_tenants(configured)
    rule = LimitRule(LimitName.TPM, 100, model="mini")
    for tenant, aliased in (
        (free, ["tenants.a: its limit tpm on mini is none on small"]),
        (bound, []),
    ):
        limited = replace(tenant, limits=(rule, LimitRule(LimitName.RPM, 5)))
        assert list(policy_warnings(configured, [limited])) == aliased
        both = replace(tenant, limits=(rule, replace(rule, model="small")))
        assert list(policy_warnings(configured, [both])) == []
