"""Which requests are hedged, and by whom."""

from __future__ import annotations

import pytest
from msgspec import structs

from app.domain.call.request import InferenceRequest
from app.domain.capacity.shares import RequestClass
from app.domain.routing.hedge_policy import HedgePolicy, may_stand_in
from app.wire.routes import match
from tests.fakes.changed import replace
from tests.fakes.house import deployment

POLICY = HedgePolicy(frozenset({RequestClass.CRITICAL}))
CHAT = InferenceRequest(match("POST", "/v1/chat/completions", ""), "m", b"{}", stream=True)


@pytest.mark.parametrize("request_class", RequestClass)
def test_a_stream_of_a_class_that_is_named(request_class: RequestClass) -> None:
    """No other class."""
    assert POLICY.covers(CHAT, request_class) is (request_class is RequestClass.CRITICAL)


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": False},
        {"stores": True},
        {"previous_response_id": "r"},
        {"references": ("i",)},
        {"route": match("POST", "/v1/embeddings", "")},
    ],
)
def test_nothing_that_would_be_there_twice(changes: dict[str, object]) -> None:
    """Nor what does not tell that it began."""
    other: InferenceRequest = structs.replace(CHAT, **changes)
    assert not POLICY.covers(other, RequestClass.CRITICAL)


def test_hedges_have_no_reserve() -> None:
    """They are a part of requests, and nothing beyond it."""
    budget = replace(POLICY, percent=7).budget
    assert (budget.percent, budget.reserve, budget.kept_s) == (7, 0, 60.0)


def test_who_stands_in_is_another_of_the_same_kind() -> None:
    """And one whose silence says something."""
    one, other = deployment("paygo-a"), deployment("paygo-b")
    assert may_stand_in(one, other)
    assert not may_stand_in(one, one)
    assert not may_stand_in(one, deployment("ptu"))
    assert not may_stand_in(one, replace(other, reasons=True))
