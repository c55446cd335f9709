"""Which answers become entries; whole stories are in test_consulting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.cache.entry import Question
from app.domain.cache.policy import CachePolicy, ExactPolicy, SemanticPolicy
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, Verdict
from app.observation import Observation
from app.stages.caching.asked import Asked
from app.stages.caching.keeping import Keeping
from app.stages.caching.recording import Recording
from app.wire.cache.directives import Directives
from tests.fakes.accounts import PRICES
from tests.fakes.answer_cache import FakeAnswerCache
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import packed
from tests.fakes.entries import BODY
from tests.fakes.reply import RecordingReply

CHAT = Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS)
VECTOR = packed((1.0,), 16)
QUESTION = Question(b"f" * 16, b"p" * 16, "What is the capital of France?")
BOTH = CachePolicy(ExactPolicy(enabled=True), SemanticPolicy(enabled=True))


class Scene:
    """One request whose answer has gone out."""

    def __init__(self, body: bytes, policy: CachePolicy = BOTH) -> None:
        self.clock = FakeClock()
        self.cache = FakeAnswerCache(self.clock)
        self.keeping = Keeping(self.cache, PRICES, self.clock, at_most=1_000_000)
        self.observation = Observation(FakeCall(), self.clock)
        self.observation.served = Attempt("ptu", 0, Verdict.ACCEPT, 200, 0.0, 1.0)
        self.observation.meter.usage = Usage(10, 0, 7)
        request = InferenceRequest(CHAT, "gpt-4o", b"{}")
        self.asked = Asked("acme", request, QUESTION, policy, Directives())
        self.body = body

    async def kept(self, vector: bytes | None = VECTOR) -> Any:
        """What is in the cache afterwards, with its vector."""
        recording = Recording(RecordingReply(), Operation.CHAT_COMPLETIONS, at_most=1_000_000)
        await recording.start(200, {"content-type": "application/json"})
        await recording.send(self.body)
        await recording.finish()
        self.clock.advance(1.5)
        entry = await self.keeping.entry(self.asked, self.observation, recording)
        if entry is not None:
            await self.keeping.keep(self.asked, entry, vector)
        return next(iter(self.cache.kept.values()), None)


def cut() -> bytes:
    """An answer that ended at the caller's cap."""
    return BODY.replace(b'"finish_reason":"stop"', b'"finish_reason":"length"')


async def test_an_entry_says_what_it_took() -> None:
    """Time, tokens and money, which is what a hit saves."""
    entry, _, vector = await Scene(BODY).kept()
    assert (entry.seconds, entry.usage, entry.deployment) == (1.5, Usage(10, 0, 7), "ptu")
    assert entry.nano_usd == PRICES.cost("ptu", Usage(10, 0, 7), 0.0).nano_usd
    assert (entry.body, vector) == (BODY, VECTOR)


async def test_an_answer_that_was_cut_is_for_the_same_request_alone() -> None:
    """With another cap, or for another prompt, it would go on."""
    _, _, vector = await Scene(cut()).kept()
    assert vector is None
    assert await Scene(cut(), CachePolicy(semantic=BOTH.semantic)).kept() is None


async def test_a_long_answer_is_looked_through_elsewhere() -> None:
    """And kept all the same."""
    body = json.loads(BODY)
    body["choices"][0]["message"]["content"] = "x" * 100_000
    entry, _, _ = await Scene(json.dumps(body).encode()).kept()
    assert len(entry.body) > 100_000


@pytest.mark.parametrize("status", [400, 201, None])
async def test_what_was_not_answered_is_not_kept(status: int | None) -> None:
    """An upstream's own refusal among it."""
    scene = Scene(BODY)
    scene.observation.served = Attempt("ptu", 0, Verdict.ACCEPT, status, 0.0, 1.0)
    assert await scene.kept() is None


async def test_a_store_that_is_away_hurts_nobody() -> None:
    """The next request asks again."""
    scene = Scene(BODY)
    scene.cache.away = True
    assert await scene.kept() is None
