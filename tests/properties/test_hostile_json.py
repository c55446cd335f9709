"""A body costs time in proportion to its size, whatever it is made of and whatever it lacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import MalformedRequest
from app.wire.strict_json import parse_object

#: What bodies are repeated from: all that a reader of structure could stumble over.
PIECES = [b'"', b'\\"', b"\\\\", b"\\", b"\\u003a", b"[", b"]", b"[]", b"{", b"}", b'"a":1,']
PIECES += [b":", b",", b" ", b'"",', b"[],", b"[[[]]],", b'{"a":1},', b'{"a":1,"a":2},', b"9"]
OPENINGS = [b"", b"{", b'{"', b'{"a":', b'{"a":[', b'{"a":"', b'{"a":"\\', b'{"b":1,"b":[']
ENDINGS = [b"", b"}", b'"}', b"]}", b"[]]}", b"1]}", b'{"b":1,"b":2}]}']

SMALL = 16 * 1024
#: Differences below this are the machine's. Seconds.
NOISE_S = 0.004


def cost_s(body: bytes) -> float:
    """The least of three tries, so that what else the machine does counts less."""
    costs = []
    for _ in range(3):
        started = time.process_time()
        with suppress(MalformedRequest):
            parse_object(body)
        costs.append(time.process_time() - started)
    return min(costs)


def growing(opening: bytes, unit: bytes, ending: bytes) -> Callable[[int], bytes]:
    def body(size: int) -> bytes:
        return opening + unit * (size // len(unit)) + ending

    return body


@given(
    st.sampled_from(OPENINGS),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(b"".join),
    st.sampled_from(ENDINGS),
)
@example(b'{"', b'\\"', b"")
@example(b'{"a":"', b"\\\\", b"")
@example(b'{"a":[', b"[],", b"[]]}")
@example(b'{"a":[', b'{"a":1},', b'{"b":1,"b":2}]}')
@example(b'{"a":[', b"[" * 60 + b"]" * 60 + b",", b"1]}")
@settings(deadline=None)
@pytest.mark.alone
def test_four_times_the_body_is_about_four_times_the_work(
    opening: bytes, unit: bytes, ending: bytes
) -> None:
    """Twice four allows for caches and collections; what grows with the square takes 16 times."""
    body = growing(opening, unit, ending)

    # What the machine adds once it does not add five times; what the reader adds it always does.
    assert any(cost_s(body(4 * SMALL)) < 8 * cost_s(body(SMALL)) + NOISE_S for _ in range(5))


@given(st.sampled_from(PIECES), st.sampled_from(ENDINGS))
@example(b'{"a":1},', b'{"b":1,"b":2}]}')
@settings(deadline=None, max_examples=20)
@pytest.mark.alone
def test_a_large_body_is_read_or_refused_soon(unit: bytes, ending: bytes) -> None:
    """Even one whose duplicate would take long to name."""
    assert cost_s(growing(b'{"a":[', unit, ending)(512 * 1024)) < 4
