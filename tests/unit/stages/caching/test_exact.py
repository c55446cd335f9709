"""Looking for the answer to the very same request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.cache.entry import Question
from app.domain.cache.policy import CachePolicy, ExactPolicy
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.stages.caching.asked import Asked
from app.stages.caching.exact import TheSame
from app.wire.cache.directives import Directives
from tests.fakes.answer_cache import FakeAnswerCache
from tests.fakes.clock import FakeClock
from tests.fakes.entries import an_entry
from tests.fakes.owners import FakeResponseOwners

ON = CachePolicy(ExactPolicy(enabled=True))
RESPONSE = Route(Operation.RESPONSES, "POST", Accounting.TOKENS)
STORED = an_entry(
    operation=Operation.RESPONSES,
    body=b'{"id":"resp_7","usage":{"input_tokens":1,"output_tokens":1}}',
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(unix=STORED.stored_at)


def asked(*, stores: bool = True) -> Asked:
    request = InferenceRequest(RESPONSE, "gpt-4o", b"{}", stores=stores)
    return Asked("acme", request, Question(b"f" * 16), ON, Directives())


@pytest.mark.parametrize("stores", [True, False])
async def test_a_stored_response_is_an_answer_while_it_can_be_asked_for(
    clock: FakeClock, *, stores: bool
) -> None:
    """Its caller may come back with its id; where nothing is stored the id means nothing."""
    cache, owners = FakeAnswerCache(clock), FakeResponseOwners()
    the_same = TheSame(cache, owners, clock)
    await cache.keep("acme", STORED, 60, None)
    found = await the_same.find(asked(stores=stores))
    assert (found.entry is None, found.reason) == ((True, "deleted") if stores else (False, ""))
    await owners.claim("acme", "resp_7", "ptu")
    assert (await the_same.find(asked(stores=stores))).entry == STORED


async def test_a_cache_that_is_off_is_not_asked(clock: FakeClock) -> None:
    """Whatever it has."""
    cache = FakeAnswerCache(clock)
    await cache.keep("acme", an_entry(), 60, None)
    before = cache.asked
    off = replace(asked(), policy=CachePolicy())
    assert (await TheSame(cache, FakeResponseOwners(), clock).find(off)).entry is None
    assert cache.asked == before
