"""Ids of the spans of one request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.trace import TraceContext

IDS = st.integers(1, 2**64 - 1)


@given(IDS, st.sets(st.integers(1, 5000), max_size=50))
def test_ids_of_spans_differ_within_a_trace(own: int, numbers: set[int]) -> None:
    """Whatever number they start at; none is zero, which is no id."""
    context = TraceContext("a" * 32, f"{own:016x}", is_sampled=True)
    children = {context.child(number) for number in numbers}
    assert len(children | {context.span_id}) == len(numbers) + 1
    assert all(len(each) == 16 and each.strip("0") for each in children)
