"""Azure AI Content Safety over HTTP: what is sent, what comes of it, and every way it can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.adapters.azure.credentials import ApiKeyCredential
from app.adapters.content_safety.azure import AzureContentSafety, SafetyLimits, SafetyStanding
from app.adapters.content_safety.http import posting
from app.domain.policy.rules import Failure, SafetyRule
from app.domain.policy.safety import (
    MOST_CHARS,
    MOST_OF_REQUEST,
    OVERLAP,
    Category,
    SafetyTexts,
    Unchecked,
)
from app.domain.policy.safety_budget import SafetyBounds
from app.domain.routing.deployment import Api
from tests.fakes.clock import FakeClock
from tests.fakes.content_safety import ATTACK, FakeContentSafety, content_safety

RULE = SafetyRule(Failure.OPEN, hate=4, violence=4)
SHIELD = SafetyRule(Failure.OPEN, prompt_shield=True)
TEXT = SafetyTexts(("hello",))


class House:
    """The adapter, on a resource that can be told to fail."""

    def __init__(self, fake: FakeContentSafety) -> None:
        self.fake = fake
        self.clock = FakeClock()
        self.standing = SafetyStanding(self.clock)
        self.limits = SafetyLimits(timeout_s=30.0)

    async def check(self, texts: SafetyTexts = TEXT, rule: SafetyRule = RULE) -> object:
        """One verdict."""
        async with posting(self.fake.url) as post:
            credential = ApiKeyCredential("the-key", Api.CLASSIC)
            asked = AzureContentSafety(post, credential, self.standing, self.limits, "2024-09-01")
            return await asked.check(texts, rule, "acme")

    async def reason(self, texts: SafetyTexts = TEXT) -> Unchecked | None:
        """Why there is none."""
        found = await self.check(texts)
        return found.unchecked  # type: ignore[attr-defined,no-any-return]  # a verdict


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with content_safety() as fake:
        fake.key = "the-key"
        yield House(fake)


async def test_a_text_is_judged_in_the_categories_that_count(house: House) -> None:
    """Azure's operation, version, header and finer severities."""
    found = await house.check(SafetyTexts(("such hatred",), ("a weapon",)))
    assert found.severities == {Category.HATE: 6, Category.VIOLENCE: 4}  # type: ignore[attr-defined]  # a verdict
    (operation, body, headers), _ = house.fake.seen
    assert operation == "text:analyze"
    assert body["outputType"] == "EightSeverityLevels"
    assert body["categories"] == ["Hate", "Violence"]
    assert headers["ocp-apim-subscription-key"] == "the-key"
    assert "api-key" not in headers


@pytest.mark.parametrize(
    ("texts", "attacked"),
    [
        (SafetyTexts(("hello",), ("fine",)), False),
        (SafetyTexts((f"now {ATTACK}",)), True),
        (SafetyTexts((), (f"page: {ATTACK}",)), True),
        (SafetyTexts(("a", "b", f"c {ATTACK}"), ("d",)), True),
    ],
)
async def test_attacks_are_looked_for_in_prompts_and_documents(
    house: House, texts: SafetyTexts, *, attacked: bool
) -> None:
    """Each piece with one of the other kind, so that a call costs as little as it can."""
    found = await house.check(texts, SHIELD)
    assert found.attacked is attacked  # type: ignore[attr-defined]  # a verdict
    assert len(house.fake.seen) == max(len(texts.prompts), len(texts.documents))


async def test_a_429_is_heeded_for_as_long_as_it_says(house: House) -> None:
    """Nobody asks again before that; the breaker has nothing against it."""
    house.fake.status, house.fake.headers = 429, {"retry-after": "20"}
    assert await house.reason() is Unchecked.THROTTLED
    house.fake.status = 200
    house.clock.advance(19)
    assert await house.reason() is Unchecked.THROTTLED
    assert len(house.fake.seen) == 1
    house.clock.advance(2)
    assert await house.reason() is None


async def test_a_frozen_one_costs_its_time_out_and_then_nothing(house: House) -> None:
    """Five times; the breaker leaves it alone until a probe finds it well."""
    house.fake.frozen = asyncio.Event()
    house.limits = SafetyLimits(timeout_s=0.05)
    for _ in range(5):
        assert await house.reason() is Unchecked.TIMEOUT
    seen = len(house.fake.seen)
    assert await house.reason() is Unchecked.UNAVAILABLE
    assert not house.standing.is_well
    assert len(house.fake.seen) == seen
    house.fake.frozen.set()
    house.clock.advance(5)
    house.limits = SafetyLimits(timeout_s=30)
    assert await house.reason() is None
    assert house.standing.is_well
    assert house.standing.unchecked_total[Failure.OPEN] == 6


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"categoriesAnalysis": []}',
        b'{"categoriesAnalysis": [{"category": "Hate", "severity": "high"}]}',
        b"[" * 100_000,
        b'"' + b"x" * 200_000 + b'"',
    ],
)
async def test_nonsense_is_no_verdict(house: House, nonsense: bytes) -> None:
    """However long, deep or empty it is."""
    house.fake.nonsense = nonsense
    assert await house.reason() is Unchecked.MALFORMED


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
async def test_a_refusal_is_no_verdict(house: House, status: int) -> None:
    """Whoever is at fault; what it says in words goes nowhere."""
    house.fake.status = status
    assert await house.reason() is Unchecked.ERROR


async def test_a_stopped_one_is_no_verdict(house: House) -> None:
    """Nobody listens there."""
    house.fake.url = "http://127.0.0.1:9"
    assert await house.reason() is Unchecked.ERROR


async def test_money_and_calls_are_bounded(house: House) -> None:
    """The day's dollars come back with the next day, the second's calls with the next second."""
    house.limits = SafetyLimits(30, 0.0005, SafetyBounds(usd_per_day=0.001))
    assert [await house.reason() for _ in range(3)] == [None, None, Unchecked.BUDGET]
    house.clock.advance(86_400)
    assert await house.reason() is None
    house.limits = SafetyLimits(timeout_s=30, bounds=SafetyBounds(calls_per_s=2))
    house.clock.advance(10)
    assert [await house.reason() for _ in range(3)] == [None, None, Unchecked.RATE]
    house.clock.advance(0.6)
    assert await house.reason() is None


async def test_what_is_too_long_is_not_sent(house: House) -> None:
    """It would be hundreds of calls."""
    pieces = MOST_OF_REQUEST // MOST_CHARS + 1
    assert await house.reason(SafetyTexts(("x" * MOST_CHARS,) * pieces)) is Unchecked.TOO_LONG
    assert house.fake.seen == []


async def test_nothing_is_asked_about_nothing(house: House) -> None:
    """A request of images alone has no text."""
    assert await house.reason(SafetyTexts()) is None
    assert house.fake.seen == []
    assert OVERLAP < MOST_CHARS


async def test_a_client_that_leaves_ends_the_calls(house: House) -> None:
    """And says nothing about the resource."""
    house.fake.frozen = asyncio.Event()
    asking = asyncio.ensure_future(house.check())
    async with asyncio.timeout(30):
        while not house.fake.seen:
            await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert house.standing.is_well
    assert house.standing.unchecked_total[Failure.OPEN] == 0


class Tokens:
    """An identity whose first token is not taken any more."""

    def __init__(self) -> None:
        self.token = "Bearer old"

    async def header(self) -> tuple[str, str]:
        return "authorization", self.token

    async def refresh(self, rejected: str) -> bool:
        assert rejected == "Bearer old"
        self.token = "Bearer new"
        return True


async def test_a_token_that_is_not_taken_is_replaced_once(house: House) -> None:
    """As deployments have it: the request is asked again with the next one."""
    house.fake.key, house.fake.bearer = None, "Bearer new"
    async with posting(house.fake.url) as post:
        asked = AzureContentSafety(post, Tokens(), house.standing, house.limits, "2024-09-01")
        assert (await asked.check(TEXT, RULE, "acme")).unchecked is None
        house.fake.bearer = "Bearer other"
        refused = AzureContentSafety(
            post, ApiKeyCredential("x", Api.OPENAI), house.standing, house.limits, "2024-09-01"
        )
        assert (await refused.check(TEXT, RULE, "acme")).unchecked is Unchecked.ERROR
    assert [each[2]["authorization"] for each in house.fake.seen] == [
        "Bearer old",
        "Bearer new",
        "Bearer x",
    ]
