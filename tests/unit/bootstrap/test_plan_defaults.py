"""What the configuration says of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from app.bootstrap.plan_defaults import completed
from app.errors import MalformedRequest
from app.planner.sizing.job import PlanAsk
from app.settings import Settings, build

KEY: Any = {"auth": {"api_key": "x"}, "endpoint": "https://x.openai.azure.com"}


def settings(**more: Any) -> Settings:
    ptu: Any = {"kind": "ptu", "ptus": 50, "model": "gpt-4o", "data_zone": "eu"}
    return build(
        {
            "deployments": {
                "pay": KEY | {"kind": "paygo", "model": "gpt-4o"},
                "east": KEY | ptu,
            },
            "models": {
                "chat": {"tiers": [["pay"], ["east"]]},
                "fast": {"alias": "chat"},
                "cheap": {"tiers": [["pay"]]},
            },
        }
        | more
    )


def test_that_the_models_ptus_decide() -> None:
    """Their base model and data zone, be the model called as it may."""
    found = completed(PlanAsk("fast"), settings())
    assert (found.model, found.base_model, found.kind) == ("fast", "gpt-4o", "datazone")
    assert found.usd_per_ptu_hour is None
    paygo = completed(PlanAsk("cheap"), settings())
    assert (paygo.base_model, paygo.kind) == ("gpt-4o", None)


def test_that_configured_prices_hold_where_none_is_given() -> None:
    """The hour's for all, a reservation's for its term."""
    more: Any = {
        "prices": {"usd_per_ptu_hour": 0.9},
        "billing": {"ptus": {"east": {"term": "yearly", "usd_per_ptu": 2500}}},
    }
    found = completed(PlanAsk("chat"), settings(**more))
    assert (found.usd_per_ptu_hour, found.usd_per_ptu_month) == (0.9, None)
    assert found.usd_per_ptu_year == 2500
    given = completed(
        PlanAsk("chat", "gpt-5", kind="global", usd_per_ptu_hour=0.0), settings(**more)
    )
    assert (given.base_model, given.kind, given.usd_per_ptu_hour) == ("gpt-5", "global", 0.0)


def test_that_an_unknown_model_is_refused() -> None:
    """By the parameter that it is in."""
    with pytest.raises(MalformedRequest) as refused:
        completed(PlanAsk("nothing"), settings())
    assert refused.value.param == "model"
