"""Looking for the answer to the very same request."""

from __future__ import annotations

import pytest

from app.domain.cache.policy import CachePolicy, ExactPolicy
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.stages.caching.asked import Asked
from app.stages.caching.exact import Same, TheSame
from app.wire.cache.directives import Directives
from tests.fakes.answer_cache import FakeAnswerCache
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.entries import an_entry

ON = CachePolicy(ExactPolicy(enabled=True))
CHAT = Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS)
ASKED = Asked(
    "acme",
    InferenceRequest(CHAT, "gpt-4o", b"{}"),
    an_entry().question,
    ON,
    Directives(),
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(unix=an_entry().stored_at)


async def test_the_answer_to_this_very_request_is_found(clock: FakeClock) -> None:
    """Until it is too old by the policy in force."""
    cache = FakeAnswerCache(clock)
    the_same = TheSame(cache, clock)
    assert (await the_same.find(ASKED)).entry is None
    await cache.keep("acme", an_entry(), 7200, None)
    assert (await the_same.find(ASKED)).entry == an_entry()
    clock.advance(3601)
    assert await the_same.find(ASKED) == Same(reason="too_old")


async def test_a_cache_that_is_off_is_not_asked(clock: FakeClock) -> None:
    """Whatever it has."""
    cache = FakeAnswerCache(clock)
    await cache.keep("acme", an_entry(), 60, None)
    before = cache.asked
    off = replace(ASKED, policy=CachePolicy())
    assert (await TheSame(cache, clock).find(off)).entry is None
    assert cache.asked == before
