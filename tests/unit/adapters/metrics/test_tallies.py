"""Requests that are alike, added up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.adapters.metrics.families import INPUT_TOKENS, OUTPUT_TOKENS
from app.adapters.metrics.instruments import Instruments
from app.adapters.metrics.tallies import TOKEN_TYPES, Alike, Places, Tallies, disjoint
from app.domain.quota.usage import Usage
from tests.fakes.receipts import served

counts = st.integers(0, 1000)
usages = st.builds(Usage, counts, counts, counts, counts)


def places_of(_alike: Alike) -> Places:
    """In histograms that nobody looks at."""
    instruments = Instruments()
    input_, output = (instruments.histograms(each) for each in (INPUT_TOKENS, OUTPUT_TOKENS))
    return Places("gpt-4o", "search", None, input_[("gpt-4o",)], output[("gpt-4o",)])


def test_what_is_alike_is_added_up_and_begins_anew() -> None:
    """Another status is another one; what reserved nothing has no tokens."""
    tallies = Tallies(places_of)
    for receipt in (served(), served(), served(status=201), served(reservation=None)):
        tallies.add(receipt)
    two, one = tallies.take()
    assert (two.requests, two.reserved, two.nano_usd) == (3, 2, 4_000_000)
    assert two.tokens.by_type() == [
        ("input", 120), ("cached_input", 80), ("output", 60), ("reasoning", 40)
    ]  # fmt: skip
    assert (one.alike.status, one.requests) == (201, 1)
    assert not tallies.take()


@given(st.lists(usages))
def test_tokens_of_many_are_the_sum_of_each(given_usages: list[Usage]) -> None:
    """Each token once, whatever an upstream believes to be part of what."""
    tallies = Tallies(places_of)
    for usage in given_usages:
        tallies.add(served(usage=usage))
    together = [dict(tally.tokens.by_type()) for tally in tallies.take()] or [{}]
    for kind in TOKEN_TYPES:
        each = [dict(disjoint(usage)).get(kind, 0) for usage in given_usages]
        assert together[0].get(kind, 0) == sum(each)
    assert sum(together[0].values()) == sum(each.input + each.output for each in given_usages)
