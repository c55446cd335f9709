"""What an attempt takes of its deployment, from when it is sent until its answer is over."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.provisioned import PtuCapacity
from tests.fakes.call import FakeCall
from tests.fakes.house import House

#: Ten tokens a second: the house's prompts of 10 tokens are a second, an answer's token 0.4.
CAPACITY = PtuCapacity(10.0, 4.0)
CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hi"}],
    "max_tokens": 10,
}
STREAM = {**CHAT, "stream": True}


@pytest.fixture
def house() -> House:
    """Whose PTU is counted."""
    house = House()
    house.capacity.follow({"ptu": CAPACITY}, house.clock.now())
    return house


def seconds(house: House) -> float:
    """How much of the PTU's bucket is taken."""
    book: CapacityBook = house.capacity
    return book.utilizations(house.clock.now())["ptu"] * 60


@pytest.mark.parametrize("fields", [CHAT, STREAM], ids=["whole", "stream"])
async def test_what_was_used_stays_taken(house: House, fields: dict[str, Any]) -> None:
    """As the upstream told it: 20 and 5 tokens, not the 10 and 10 that were expected."""
    act = house.upstream("ptu")
    _ = act.streams("Hello", usage=(20, 5)) if "stream" in fields else act.completes(usage=(20, 5))
    await house.serve(FakeCall(fields=fields))
    assert seconds(house) == pytest.approx(4.0)


async def test_a_failure_takes_nothing(house: House) -> None:
    """Nor does a refusal of the request itself; its deployment was not at work."""
    house.upstream("ptu").answers(500, body=b"")
    house.upstream("paygo").completes()
    await house.serve(FakeCall(fields=CHAT))
    assert seconds(house) == 0
    house.upstream("ptu").answers(400, code="content_filter")
    await house.serve(FakeCall(fields=CHAT))
    assert seconds(house) == 0


async def test_a_refusal_tells_the_level(house: House) -> None:
    """A 429 that says 7 s means 7 s beyond full."""
    house.upstream("ptu").answers(429, retry_after_ms=7001)
    house.upstream("paygo").completes()
    await house.serve(FakeCall(fields=CHAT))
    assert seconds(house) == pytest.approx(67.0, abs=0.1)


async def test_a_header_tells_the_level(house: House) -> None:
    """Of a whole answer, once what it used is counted."""
    house.upstream("ptu").completes(usage=(20, 5))
    house.upstream("ptu").acts[-1].headers["azure-openai-deployment-utilization"] = "50%"
    await house.serve(FakeCall(fields=CHAT))
    assert seconds(house) == pytest.approx(30.0, abs=2.0)


async def test_what_goes_on_in_the_background_stays_taken(house: House) -> None:
    """All that was expected: its answer only says that it has begun."""
    house.upstream("ptu").answers(200, body=b'{"id":"resp_1","status":"queued","usage":null}')
    fields = {"model": "gpt-4o", "input": "Hi", "max_output_tokens": 10, "background": True}
    await house.serve(FakeCall("/v1/responses", fields))
    assert seconds(house) == pytest.approx(1.0 + 0.4 * 10)


async def test_without_usage_it_is_what_it_looks_like(house: House) -> None:
    """The prompt as counted, and of the answer no more than was expected."""
    house.upstream("ptu").completes("x" * 4000, usage=None)
    await house.serve(FakeCall(fields=CHAT))
    assert seconds(house) == pytest.approx(1.0 + 0.4 * 10)
