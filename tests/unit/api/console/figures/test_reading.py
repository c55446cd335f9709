from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.families import BY_NAME
from app.api.console.figures.reading import SHOWN, sample_of
from tests.fakes.clock import FakeClock

PAGE = r"""# HELP llm_requests_total Requests.
# TYPE llm_requests_total counter
llm_requests_total{model="gpt-4o",tenant="a",status="200"} 3
llm_requests_total{model="gpt-4o",tenant="a \"b\" \\ {c},\nd",status="429"} 1e+03
llm_requests_in_flight 7
llm_nobody_shows_this{x="y"} 5
"""


def test_series_are_read_with_their_labels() -> None:
    """Whatever is in a label, as it was before it was escaped."""
    sample = sample_of(PAGE, 5.0)
    assert sample.at == 5.0
    assert sample.total("llm_requests_total") == 1003
    assert sample.total("llm_requests_total", tenant="a") == 3
    assert sample.by("llm_requests_total", "tenant") == {'a "b" \\ {c},\nd': 1000, "a": 3}
    assert sample.known("llm_requests_in_flight") == 7
    assert sample.known("llm_queue_length") is None
    assert "llm_nobody_shows_this" not in sample.families


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.integers(0, 10**9), max_size=5))
async def test_what_is_written_is_read(counts: dict[str, int]) -> None:
    """The page of the gateway's own writer, with any names."""
    metrics = Metrics(1000, FakeClock())
    values: dict[tuple[str, ...], float] = {(name,): float(n) for name, n in counts.items()}
    metrics.readings.add(BY_NAME["llm_ptu_utilization_ratio"], lambda: values)
    _, page = await metrics.page("text/plain")
    found = sample_of(page.decode(), 0.0)
    assert found.by("llm_ptu_utilization_ratio", "deployment") == counts


def test_every_family_that_is_shown_is_one_that_is_exported() -> None:
    """A family that is renamed would otherwise be missing from pages without a word."""
    for name in SHOWN:
        assert name.removesuffix("_bucket") in BY_NAME
