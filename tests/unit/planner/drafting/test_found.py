"""Deployments as Azure Resource Manager describes them."""

from __future__ import annotations

from typing import Any

import pytest

from app.planner.drafting.found import Found, found_in, named, zone_of

ACCOUNT = {
    "kind": "AIServices",
    "location": "Sweden Central",
    "properties": {
        "endpoint": "https://contoso.cognitiveservices.azure.com/",
        "endpoints": {"OpenAI Language Model Instance API": "https://contoso.openai.azure.com/"},
    },
}
ENDPOINT = "https://contoso.openai.azure.com"


def deployment(sku: str, capacity: int, **properties: Any) -> dict[str, Any]:
    model = {"format": "OpenAI", "name": "gpt-4o", "version": "2024-11-20"}
    return {
        "name": "chat",
        "sku": {"name": sku, "capacity": capacity},
        "properties": {"model": model, "provisioningState": "Succeeded", **properties},
    }


def test_a_provisioned_one() -> None:
    """Its capacity is PTUs; a regional one stays in its region's zone."""
    assert found_in(ACCOUNT, deployment("ProvisionedManaged", 50)) == Found(
        ENDPOINT, "chat", "gpt-4o", "ptu", ptus=50, region="swedencentral", data_zone="eu"
    )


def test_a_pay_as_you_go_one() -> None:
    """Its quota is told by rate limits; those of requests may be for ten seconds."""
    limits = [
        {"key": "request", "renewalPeriod": 10, "count": 450},
        {"key": "token", "renewalPeriod": 60, "count": 450_000},
    ]
    found = found_in(ACCOUNT, deployment("DataZoneStandard", 450, rateLimits=limits))
    assert (found.kind, found.tpm, found.rpm, found.ptus) == ("paygo", 450_000, 2700, None)
    assert found.data_zone == "eu"


@pytest.mark.parametrize("sku", ["GlobalStandard", "GlobalProvisionedManaged"])
def test_what_is_global_is_in_no_zone(sku: str) -> None:
    """Azure may process it anywhere."""
    assert found_in(ACCOUNT, deployment(sku, 10)).data_zone == ""


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (deployment("GlobalBatch", 10), "batches are not served"),
        (deployment("Standard", 1, model={"format": "DeepSeek", "name": "r1"}), "of DeepSeek"),
        (deployment("Standard", 1, provisioningState="Creating"), "it is Creating"),
        (deployment("GlobalStandard", 10), ""),
    ],
)
def test_what_cannot_be_served_says_why(described: dict[str, Any], said: str) -> None:
    """Nothing else has a note."""
    note = found_in(ACCOUNT, described).note
    assert said in note
    assert bool(said) is bool(note)


def test_that_resources_without_keys_say_so() -> None:
    """Their deployments are asked with tokens."""
    closed = {**ACCOUNT, "properties": {"endpoint": ENDPOINT, "disableLocalAuth": True}}
    assert found_in(closed, deployment("Standard", 1)).keyless


def test_that_missing_parts_break_nothing() -> None:
    """Whatever a later version leaves out."""
    assert found_in({}, {"name": "chat"}) == Found("", "chat", "", "paygo")


def test_zones() -> None:
    """Of the union and the states; others have none that Azure promises."""
    assert [zone_of(region) for region in ("westeurope", "eastus2", "uksouth")] == ["eu", "us", ""]


def test_what_somebody_types() -> None:
    """A name alone is its model's, too."""
    assert named(ENDPOINT, "gpt-4o") == Found(ENDPOINT, "gpt-4o", "gpt-4o", "paygo")
    assert named(ENDPOINT, "big=gpt-4o, ptu=50") == Found(ENDPOINT, "big", "gpt-4o", "ptu", ptus=50)
    told = named(ENDPOINT, "small=gpt-4o,tpm=1000,rpm=6")
    assert (told.kind, told.tpm, told.rpm) == ("paygo", 1000, 6)


@pytest.mark.parametrize("text", ["", "=gpt-4o", "a,ptu", "a,ptu=0", "a,ptu=x", "a,cost=3"])
def test_what_nobody_means(text: str) -> None:
    """What was typed is in the error."""
    with pytest.raises(ValueError, match=r"names no|is none of"):
        named(ENDPOINT, text)
