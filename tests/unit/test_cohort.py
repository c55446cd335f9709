"""Requests that come to the same line go on together; a stream, and who is alone, do not wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from typing import cast

import pytest

from app.cohort import Cohort
from app.domain.call.request import InferenceRequest
from app.wire.openai import read_request
from app.wire.routes import match

#: More requests than go on without looking whether others come.
MANY = 20


def chat(*, stream: bool = False) -> InferenceRequest:
    """A chat request."""
    messages = [{"role": "user", "content": "Hi"}]
    body = json.dumps({"model": "gpt-4o", "messages": messages, "stream": stream})
    return read_request(match("POST", "/v1/chat/completions", ""), body.encode(), max_depth=9)


WHOLE, STREAM = chat(), chat(stream=True)
Coming = Generator[None, None, None]


@pytest.fixture
def cohort() -> Cohort:
    return Cohort()


def coming(cohort: Cohort, request: InferenceRequest = WHOLE) -> Coming:
    """One that comes to a line; the event loop goes on with it."""
    return cast("Coming", cohort.gathered(request))


def goes_on(one: Coming) -> bool:
    """Whether it passes; otherwise it waits for the loop's next turn."""
    try:
        next(one)
    except StopIteration:
        return True
    return False


def alone(cohort: Cohort, request: InferenceRequest = WHOLE) -> bool:
    """Have one come whom nobody follows; whether it waited all the same."""
    one = coming(cohort, request)
    if goes_on(one):
        return False
    assert goes_on(one)
    return True


def all_wait(cohort: Cohort, size: int) -> bool:
    """Have so many come in one turn of the loop; whether each let the others come."""
    ones = [coming(cohort) for _ in range(size)]
    waited = [not goes_on(one) for one in ones]
    for one, has_waited in zip(ones, waited, strict=True):
        assert not has_waited or goes_on(one)
    return all(waited)


async def test_who_begins_together_comes_to_each_line_together(cohort: Cohort) -> None:
    """All pass the first line before any of them passes the second one."""
    passed: list[int] = []

    async def one() -> None:
        for line in range(3):
            passed.append(line)
            await cohort.gathered(WHOLE)

    await asyncio.gather(*(one() for _ in range(5)))
    assert passed == [0] * 5 + [1] * 5 + [2] * 5


def test_a_cohort_stays_one(cohort: Cohort) -> None:
    """Its last one, whom nobody follows any more, is not taken for one that is alone."""
    assert all(all_wait(cohort, 3) for _ in range(MANY))


def test_who_is_alone_rarely_waits(cohort: Cohort) -> None:
    """The first one sees that nobody comes, and after some others one looks again."""
    waited = [alone(cohort) for _ in range(3 * MANY)]
    assert waited[0]
    assert 1 < sum(waited) <= len(waited) / 5


def test_a_cohort_is_found_again(cohort: Cohort) -> None:
    """However long there was none."""
    for _ in range(MANY):
        alone(cohort)
    assert any(all_wait(cohort, 3) for _ in range(MANY))
    assert all_wait(cohort, 3)


def test_a_stream_goes_on_at_once(cohort: Cohort) -> None:
    """Its first frame is waited for."""
    assert not any(alone(cohort, STREAM) for _ in range(MANY))


def test_streams_are_nobody_that_others_wait_for(cohort: Cohort) -> None:
    """Nor do they say whether others come."""
    waited = []
    for _ in range(MANY):
        alone(cohort, STREAM)
        waited.append(alone(cohort))
    without = Cohort()
    assert waited == [alone(without) for _ in range(MANY)]


def test_who_leaves_is_waited_for_no_longer(cohort: Cohort) -> None:
    """A client that hangs up ends its request wherever that is."""
    one = coming(cohort)
    assert not goes_on(one)
    with pytest.raises(asyncio.CancelledError):
        one.throw(asyncio.CancelledError())
    assert [alone(cohort), alone(cohort)] == [True, False]
