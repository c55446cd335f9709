"""Pages of several workers against a plain sum of what each counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.adapters.metrics.families import (
    DEPENDENCY_UP,
    FAMILIES,
    HOLD,
    IN_FLIGHT,
    LATENCY,
    LEDGER_DROPPED,
    REQUESTS,
)
from app.adapters.metrics.family import Family, FamilyKind, Merge
from app.adapters.metrics.instruments import Instruments
from app.adapters.metrics.merging import EOF, Unreadable, as_text, counted, merged
from tests.tools.prometheus_page import Page

#: Label values with whatever could be taken for a part of the format.
NAMES = st.sampled_from(
    ["a", "b", 'quote"', "back\\slash", "line\nend", "brace} 1 # {x", "", "cr\rx", "\r\n",
     "\x0b\x0c\x1c\x85\u2028\u2029"]
)  # fmt: skip
GAUGES = (IN_FLIGHT, HOLD, DEPENDENCY_UP)
Read = dict[Family, dict[tuple[str, ...], float]]
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass
class Worker:
    """What one worker counts and reads."""

    requests: list[tuple[str, str, str]]
    latencies: list[tuple[str, float]]
    dropped: float
    gauges: dict[str, float]
    exemplars: bool = False
    read: Read = field(init=False)

    def __post_init__(self) -> None:
        self.read = {LEDGER_DROPPED: {("refused",): self.dropped}, IN_FLIGHT: {}}
        for name, value in self.gauges.items():
            self.read.setdefault(HOLD, {})[(name,)] = value
            self.read.setdefault(DEPENDENCY_UP, {})[(name,)] = value
        self.read[IN_FLIGHT] = {(): sum(self.gauges.values())}

    def collected(self) -> Page:
        instruments = Instruments()
        requests, latency = instruments.counters(REQUESTS), instruments.histograms(LATENCY)
        for labels in self.requests:
            requests[labels].value += 1
        for model, seconds in self.latencies:
            exemplar = {"trace_id": "0af7651916cd43dd"} if self.exemplars else None
            latency[(model,)].observe(seconds, exemplar)
        return Page(FAMILIES, instruments, self.read)

    def page(self) -> bytes:
        page: bytes = generate_openmetrics(self.collected())  # type: ignore[no-untyped-call]  # the library's
        return page


#: Powers of two, so that sums are the same in any order.
AMOUNTS = st.sampled_from([0.0, 0.25, 0.5, 2.0, 64.0])
WORKERS = st.builds(
    Worker,
    requests=st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["200", "429"])), max_size=6),
    latencies=st.lists(st.tuples(NAMES, AMOUNTS), max_size=6),
    dropped=AMOUNTS,
    gauges=st.dictionaries(NAMES, AMOUNTS, max_size=3),
    exemplars=st.booleans(),
)


def series_of(page: bytes) -> Series:
    """Read by prometheus-client's own parser."""
    families = text_string_to_metric_families(page.decode())  # type: ignore[no-untyped-call]  # the library's
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def plainly_merged(workers: list[Worker]) -> Series:
    """The same from structured samples: sums, but for gauges with another rule."""
    rules = {each.name: each.merge for each in FAMILIES if each.kind is FamilyKind.GAUGE}
    sums: Counter[object] = Counter()
    found: Series = {}
    for worker in workers:
        for (name, labels), value in series_of(worker.page()).items():
            key, rule = (name, labels), rules.get(name, Merge.SUM)
            if rule is Merge.SUM:
                sums[key] += value  # type: ignore[assignment]  # numbers of any kind
                found[key] = sums[key]
            else:
                both = (found.get(key, value), value)
                found[key] = max(both) if rule is Merge.MAX else min(both)
    return found


@settings(max_examples=30)
@given(st.lists(WORKERS, min_size=1, max_size=4))
def test_pages_together_are_the_sum_of_what_workers_counted(workers: list[Worker]) -> None:
    """Every series of every worker, and none that no worker has; gauges by their family's rule."""
    page = merged([worker.page() for worker in workers])
    assert series_of(page) == plainly_merged(workers)


@settings(max_examples=30)
@given(WORKERS, WORKERS, WORKERS)
def test_it_does_not_matter_who_is_added_first(one: Worker, two: Worker, three: Worker) -> None:
    """What is kept of those that are gone is a sum of sums."""
    pages = [each.page() for each in (one, two, three)]
    at_once = series_of(merged(pages))
    assert series_of(merged([merged(pages[:2]), pages[2]])) == at_once
    assert series_of(merged([pages[2], merged(pages[:2])])) == at_once


@settings(max_examples=30)
@given(WORKERS)
def test_a_page_in_text_is_what_the_client_library_would_write(worker: Worker) -> None:
    """To the byte: names of counters, escapes, and no exemplars."""
    assert as_text(worker.page()) == generate_latest(worker.collected())


@settings(max_examples=30)
@given(WORKERS)
def test_one_page_stays_as_it_is(worker: Worker) -> None:
    """Exemplars included."""
    page = worker.page()
    assert merged([page]) == page
    assert merged([EOF, page, EOF]) == page


@settings(max_examples=30)
@given(WORKERS)
def test_of_a_worker_that_is_gone_counts_stay_and_gauges_do_not(worker: Worker) -> None:
    """It has nothing in flight any more; what it counted was counted."""
    gauges = {each.name for each in FAMILIES if each.kind is FamilyKind.GAUGE}
    page = worker.page()
    expected = {key: value for key, value in series_of(page).items() if key[0] not in gauges}
    assert series_of(counted(page)) == expected


def test_the_newest_example_is_kept() -> None:
    """Of the same bucket of two workers."""
    head = b"# HELP llm_x X\n# TYPE llm_x histogram\n"
    old = head + b'llm_x_bucket{le="+Inf"} 1.0 # {trace_id="old"} 0.5 1000.5\n' + EOF
    new = head + b'llm_x_bucket{le="+Inf"} 2.0 # {trace_id="new"} 0.7 1001.5\n' + EOF
    for pages in ([old, new], [new, old]):
        assert b'llm_x_bucket{le="+Inf"} 3.0 # {trace_id="new"} 0.7 1001.5\n' in merged(pages)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"# HELP a b\n# TYPE a counter\n",
        b"# HELP a b\n# TYPE a counter\na_total 1# EOF\n",
        b"a_total 1.0\n# EOF\n",
    ],
)
def test_a_page_that_was_cut_is_not_added(page: bytes) -> None:
    """Half a page would look like counters that fell."""
    with pytest.raises(Unreadable):
        merged([page])
