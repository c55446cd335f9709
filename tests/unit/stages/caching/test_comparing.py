"""Whether a kept answer and a fresh one say the same."""

from __future__ import annotations

import json

import pytest

from app.domain.cache.entry import Question
from app.domain.cache.error_rate import Comparison
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.policy import CachePolicy, SemanticPolicy
from app.domain.call.errand import Purpose
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.errors import BudgetExhausted, NowhereAllowed
from app.stages.caching.asked import Asked
from app.stages.caching.comparing import MOST_CHARS, ByModel, ByText
from app.stages.caching.measuring import Asker, Hit
from app.wire.cache.directives import Directives
from tests.fakes.answers import completion
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.entries import an_entry
from tests.fakes.house import House

SAME, DIFFERENT, UNDECIDED = Comparison.SAME, Comparison.DIFFERENT, Comparison.UNDECIDED
OPEN, CHOOSE, CLOSE = "open the settings", "choose the settings", "close the settings"
POINTS = {OPEN: (1.0, 0.0), CHOOSE: (0.99, 0.1), CLOSE: (0.0, 1.0)}


def body(text: str) -> bytes:
    return completion(text, (9, 2), "a")


def hit(
    text: str, *, tenant: Tenant | None = None, operation: Operation = Operation.CHAT_COMPLETIONS
) -> Hit:
    route = Route(operation, "POST", Accounting.TOKENS)
    asked = Asked(
        "acme",
        InferenceRequest(route, "gpt-4o", b"{}"),
        Question(b"a" * 16, b"p" * 16, "How?"),
        CachePolicy(semantic=SemanticPolicy(enabled=True)),
        Directives(),
    )
    asker = Asker(Principal(tenant or Tenant("acme"), "k1"), {}, {"project": "x"})
    return Hit(asker, asked, an_entry(body=body(text)), 0.05)


class TestByText:
    @pytest.mark.parametrize(
        ("kept", "fresh", "found"),
        [
            (OPEN, "Open the settings!", SAME),
            (OPEN, CHOOSE, SAME),
            (OPEN, CLOSE, DIFFERENT),
            ("5 of 7", "6 of 7", DIFFERENT),
            (OPEN, "", UNDECIDED),
        ],
    )
    async def test_words_first_then_meaning(self, kept: str, fresh: str, found: Comparison) -> None:
        """Answers without a text cannot be told."""
        comparator = ByText(FakeEmbedder(POINTS), Phrasebook(), near=0.2)
        assert await comparator.compare(hit(kept), body(fresh)) is found

    async def test_what_words_decide_is_not_embedded(self) -> None:
        """Nor what is too long for an embedder to read; all else in the tenant's name."""
        embedder = FakeEmbedder(POINTS)
        comparator = ByText(embedder, Phrasebook(), near=0.2)
        await comparator.compare(hit(OPEN), body(OPEN))
        long = "word " * MOST_CHARS
        assert await comparator.compare(hit(long), body(f"{long} more")) is UNDECIDED
        assert embedder.asked == []
        await comparator.compare(hit(OPEN), body(CHOOSE))
        assert embedder.asked == [OPEN, CHOOSE]

    async def test_a_lost_embedder_decides_nothing(self) -> None:
        """It is no error of the cache."""
        embedder = FakeEmbedder(POINTS)
        embedder.fails = True
        comparator = ByText(embedder, Phrasebook(), near=0.2)
        assert await comparator.compare(hit(OPEN), body(CHOOSE)) is UNDECIDED

    async def test_answers_of_two_operations_are_not_compared(self) -> None:
        """They are never one's answer to the other, be the store what it may."""
        comparator = ByText(FakeEmbedder(POINTS), Phrasebook(), near=0.2)
        other = hit(OPEN, operation=Operation.RESPONSES)
        assert await comparator.compare(other, body(OPEN)) is UNDECIDED


class TestByModel:
    @pytest.mark.parametrize(
        ("said", "found"), [("SAME", SAME), ("DIFFERENT", DIFFERENT), ("Well...", UNDECIDED)]
    )
    async def test_its_word_decides(self, said: str, found: Comparison) -> None:
        """The tenant pays, out of what measuring may cost; the model need not be in its list."""
        house = House()
        house.upstream("ptu").completes(said)
        tenant = Tenant("acme", frozenset({"another"}))
        comparator = ByModel(house.errands, "gpt-4o")
        assert await comparator.compare(hit(OPEN, tenant=tenant), body(CHOOSE)) is found
        (row,) = house.accounts.rows
        assert (row.errand, row.tenant, row.tags) == ("judgement", "acme", {"project": "x"})
        assert house.observer.receipts[0].errand is Purpose.JUDGEMENT
        assert any(limit.scope == "measuring" for limit in house.accounts.asks[0].limits)
        asked = json.loads(house.upstream.asked[0].request.body)
        assert json.loads(asked["messages"][1]["content"])["answer_2"] == CHOOSE

    async def test_nobody_is_asked_about_the_same_words(self) -> None:
        """That costs nothing."""
        comparator = ByModel(House().errands, "gpt-4o")
        assert await comparator.compare(hit(f" {OPEN}"), body(f"{OPEN}\n")) is SAME

    async def test_what_the_tenant_may_not_is_no_comparison(self) -> None:
        """For want of money, or of a place where its data may be."""
        house = House()
        comparator = ByModel(house.errands, "gpt-4o")
        poor = hit(OPEN)
        policy = CachePolicy(semantic=SemanticPolicy(enabled=True, sample_usd_per_day=1e-9))
        spent = Hit(poor.asker, _with(poor.asked, policy), poor.entry, 0.05)
        with pytest.raises(BudgetExhausted):
            await comparator.compare(spent, body(CHOOSE))
        house.version, bound = object(), Tenant("acme", routing=_nowhere())
        with pytest.raises(NowhereAllowed):
            await comparator.compare(hit(OPEN, tenant=bound), body(CHOOSE))
        assert not house.upstream.asked


def _with(asked: Asked, policy: CachePolicy) -> Asked:
    return Asked(asked.tenant, asked.request, asked.question, policy, asked.directives)


def _nowhere() -> RoutePolicy:
    return RoutePolicy(data_zones=frozenset({"nowhere"}))
