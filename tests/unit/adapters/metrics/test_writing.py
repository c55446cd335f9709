"""Pages as prometheus-client's own encoders write them."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from app.adapters.metrics.families import (
    DEPENDENCY_UP,
    FAMILIES,
    HOLD,
    LATENCY,
    LEDGER_DROPPED,
    OVERHEAD,
    REQUESTS,
)
from app.adapters.metrics.family import Family
from app.adapters.metrics.instruments import Instruments
from app.adapters.metrics.writing import PageWriter, number
from tests.tools.prometheus_page import Page

NAMES = st.text(max_size=8) | st.sampled_from(['quote"', "back\\slash", "line\nend", "} 1 # {x"])
AMOUNTS = st.floats(0, 1e9) | st.sampled_from([0.0, 0.025, 1e6, 123456789.0])


@settings(max_examples=60)
@given(
    requests=st.lists(st.tuples(NAMES, NAMES, st.sampled_from([200, "200", 429]), AMOUNTS)),
    latencies=st.lists(st.tuples(NAMES, AMOUNTS, st.none() | st.just("0af7651916cd43dd"))),
    gauges=st.dictionaries(NAMES, st.floats()),
)
def test_pages_are_those_of_the_library(
    requests: list[tuple[str, str, int | str, float]],
    latencies: list[tuple[str, float, str | None]],
    gauges: dict[str, float],
) -> None:
    """To the byte, in both forms, whatever labels hold; families without a series included."""
    instruments = Instruments()
    counted, latency = instruments.counters(REQUESTS), instruments.histograms(LATENCY)
    instruments.histograms(OVERHEAD)
    for *labels, amount in requests:
        counted[tuple(labels)].value += amount
    for model, seconds, trace in latencies:
        latency[(model,)].observe(seconds, None if trace is None else {"trace_id": trace})
    read: dict[Family, dict[tuple[str, ...], float]] = {
        HOLD: {(name,): value for name, value in gauges.items()},
        DEPENDENCY_UP: {("redis",): 1.0},
        LEDGER_DROPPED: {("refused",): 7.0},
    }
    page = Page(FAMILIES, instruments, read)
    writer, children = PageWriter(FAMILIES), instruments.children
    for _ in range(2):  # what is kept of the first page is what the second needs
        assert writer.text(children, read) == generate_latest(page)
        expected = generate_openmetrics(page)  # type: ignore[no-untyped-call]  # the library's
        assert writer.openmetrics(children, read) == expected


@pytest.mark.parametrize("value", [inf, -inf, nan, -0.0, 0, 3, -1e9, 999999.5, 1e6, 2.5e17])
def test_numbers_are_those_of_the_library(value: float) -> None:
    """Also where Go writes them in another way than Python."""
    assert number(value) == floatToGoString(value)  # type: ignore[no-untyped-call]  # the library's


def test_a_series_has_a_value_for_each_label() -> None:
    """Else the page would be none."""
    with pytest.raises(ValueError, match="llm_requests_total"):
        _ = Instruments().counters(REQUESTS)["model", "tenant"]
