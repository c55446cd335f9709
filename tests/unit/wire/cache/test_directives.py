from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequest
from app.wire.cache.directives import Directives, directives_of


def said(control: str) -> Directives:
    return directives_of({"cache-control": control})


def test_nothing_said_allows_everything() -> None:
    """Most requests have no such header."""
    assert directives_of({}) == Directives(read=True, store=True)


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("no-cache", Directives(read=False)),
        ("No-Cache", Directives(read=False)),
        ("no-store", Directives(store=False)),
        ("no-cache, no-store", Directives(read=False, store=False)),
        ("only-if-cached", Directives(only_if_cached=True)),
        ("max-age=60", Directives(max_age_s=60)),
        ('max-age="60"', Directives(max_age_s=60)),
        (r'max-age="\6\0"', Directives(max_age_s=60)),
        ("MAX-AGE = 60", Directives(max_age_s=60)),
        ("max-age=0", Directives(max_age_s=0)),
        ("max-age=60, max-age=5", Directives(max_age_s=5)),
        ("max-age=99999999999999", Directives(max_age_s=1e9)),
        ("of-tomorrow=1, no-store", Directives(store=False)),
        (",, no-store ,", Directives(store=False)),
        ("no-store;x", Directives(store=False)),
        ('x="no-store, no-cache", max-age=3', Directives(max_age_s=3)),
        (r'x="\", no-store"', Directives()),
        ('x="no-store', Directives()),
        ('"no-store"', Directives()),
        ("x-no-store, no-store-x", Directives()),
    ],
)
def test_cache_control_is_read_as_rfc_9111_has_it(control: str, expected: Directives) -> None:
    """Any case, tokens or quoted, unknown ones ignored, several of one: the strictest."""
    assert said(control) == expected


@pytest.mark.parametrize(
    "age",
    ["max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", 'max-age="60', "max-age=٣"],
)
def test_an_age_that_cannot_be_read_is_none_at_all(age: str) -> None:
    """Then no kept answer is young enough (RFC 9111, 4.2.1)."""
    assert said(age).max_age_s == 0


def test_our_own_headers_are_read() -> None:
    """Seconds, and a distance."""
    found = directives_of({"x-spillgate-cache-ttl": "90", "x-spillgate-cache-threshold": "0.05"})
    assert found == Directives(ttl_s=90, threshold=0.05)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-spillgate-cache-ttl", value)
        for value in ("", "x", "-1", "1.5", "1e3", "1, 2", "9999999999", "٣")
    ]
    + [
        ("x-spillgate-cache-threshold", value)
        for value in ("", "x", "-0.1", "2.1", "nan", "inf", "1e-3", "0.1, 0.2", "٣")
    ],
)
def test_our_own_headers_are_refused_when_they_cannot_be_read(header: str, value: str) -> None:
    """The refusal names the header, and does not repeat what was in it."""
    with pytest.raises(MalformedRequest) as refused:
        directives_of({header: value})
    assert refused.value.param == header
    assert header in refused.value.message


@given(st.text(max_size=60))
def test_no_cache_control_stops_a_request(control: str) -> None:
    """It is advice."""
    assert isinstance(said(control), Directives)


@pytest.mark.alone
@pytest.mark.parametrize("piece", ['a="\\"', 'a="', '"', "=", ",", " ", "\\", "a=", "a,"])
def test_a_long_header_takes_time_in_proportion(piece: str) -> None:
    """Whatever it repeats."""

    def seconds(times: int) -> float:
        start = process_time()
        said(piece * times)
        return process_time() - start

    short, long = (min(seconds(times) for _ in range(3)) for times in (2_000, 20_000))
    assert long < 60 * short
