"""What is said of tiers in which a PTU is not first."""

from __future__ import annotations

from typing import Any

import pytest

from app.settings import build
from app.settings.tier_order import tier_warnings

AZURE: dict[str, Any] = {
    "endpoint": "https://x.openai.azure.com",
    "model": "gpt-4o",
    "auth": {"api_key": "x"},
}
DEPLOYMENTS = {
    name: AZURE | {"kind": "ptu", "ptus": 50} if "ptu" in name else AZURE | {"kind": "paygo"}
    for name in ("ptu-a", "ptu-b", "paygo-a", "paygo-b")
}


def warnings(*tiers: Any) -> list[str]:
    """Of one model with these tiers, and an alias, of which nothing is repeated."""
    models = {"gpt-4o": {"tiers": list(tiers)}, "other": {"alias": "gpt-4o"}}
    return list(tier_warnings(build({"deployments": DEPLOYMENTS, "models": models})))


@pytest.mark.parametrize(
    "tiers",
    [
        [["ptu-a", "ptu-b"], ["paygo-a", "paygo-b"]],
        [["ptu-a"], {"ptu-b": 2}, ["paygo-a"], ["paygo-b"]],
        [["paygo-a"], ["paygo-b"]],
    ],
    ids=str,
)
def test_ptus_before_all_else_are_no_warning(tiers: list[Any]) -> None:
    """In as many tiers as one likes; nor is a model without any."""
    assert warnings(*tiers) == []


def test_a_tier_of_both_kinds_is_named() -> None:
    """Weights share the load there."""
    assert warnings({"ptu-a": 9, "paygo-a": 1}, ["paygo-b"]) == [
        (
            "models.gpt-4o.tiers: tier 1 has PTUs (ptu-a) beside pay-as-you-go (paygo-a): "
            "weights decide between them, PTUs are not first"
        )
    ]


def test_a_ptu_behind_pay_as_you_go_is_named() -> None:
    """It is paid for, and asked only when the others are held or full."""
    assert warnings(["ptu-a"], ["paygo-a"], ["ptu-b"]) == [
        (
            "models.gpt-4o.tiers: tier 3 has PTUs (ptu-b) behind pay-as-you-go (paygo-a): "
            "they idle while that has room"
        )
    ]
