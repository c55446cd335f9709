"""What headers say about the capacity of the deployment that sent them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.capacity import CapacityTold, WindowTold
from app.domain.capacity.wait import Wait
from app.wire.capacity import capacity_told, wait_told

UTILIZATION = "azure-openai-deployment-utilization"
NOTHING = CapacityTold()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("87.4%", 0.874),
        ("0%", 0.0),
        ("103.5%", 1.035),
        ("50", 0.5),
        ("", None),
        ("-1%", None),
        ("nan%", None),
        ("inf", None),
        ("full", None),
        ("500%", 5.0),
        ("501%", None),
        ("8740%", None),
        ("1e308%", None),
        ("1_0_0%", None),
        ("١٢%", None),
    ],
)
def test_a_ptu_tells_how_full_it_is(text: str, value: float | None) -> None:
    """In percent, or not at all."""
    told = capacity_told({UTILIZATION: text}).utilization
    assert told == (value if value is None else pytest.approx(value))


def test_paygo_tells_its_counters() -> None:
    """As Azure sends them."""
    told = capacity_told(
        {
            "x-ratelimit-limit-tokens": "450000",
            "x-ratelimit-remaining-tokens": "61353",
            "x-ratelimit-reset-tokens": "10",
            "x-ratelimit-remaining-requests": "79",
        }
    )
    assert told.windows == {
        "tokens": WindowTold(450_000, 61_353, 10.0),
        "requests": WindowTold(None, 79, None),
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10.0),
        ("10s", 10.0),
        ("17ms", 0.017),
        ("1m30s", 90.0),
        ("1m", 60.0),
        ("1.5s", 1.5),
        ("soon", None),
        ("-3", None),
    ],
)
def test_durations_come_in_two_forms(text: str, seconds: float | None) -> None:
    """Azure's whole seconds, and OpenAI's durations."""
    headers = {"x-ratelimit-limit-tokens": "1", "x-ratelimit-reset-tokens": text}
    told = capacity_told(headers).windows["tokens"].reset_s
    assert told == (seconds if seconds is None else pytest.approx(seconds))


def test_minus_one_is_no_number_of_anything() -> None:
    """Seen on the Responses API: limit and remaining -1, reset 0."""
    headers = {f"x-ratelimit-{what}-tokens": "-1" for what in ("limit", "remaining")}
    assert capacity_told(headers).windows["tokens"] == WindowTold()


def test_without_such_headers_nothing_is_told() -> None:
    """And nothing is made for it."""
    assert capacity_told({"content-type": "text/html"}) is capacity_told({}) == NOTHING


@given(st.text(max_size=40), st.text(max_size=40))
def test_junk_is_not_told(one: str, other: str) -> None:
    """An upstream's headers are as untrusted as anybody's."""
    told = capacity_told({UTILIZATION: one, "x-ratelimit-remaining-tokens": other})
    assert told.utilization is None or told.utilization >= 0
    for window in told.windows.values():
        assert window.remaining is None or window.remaining >= 0


@pytest.mark.parametrize(
    ("seconds", "headers", "wait"),
    [
        (None, {}, None),
        (1.234, {"retry-after-ms": "1234", "retry-after": "2"}, Wait(1.234, 0.001)),
        (3.0, {"retry-after-ms": "3000", "retry-after": "3"}, Wait(3.0, 1.0)),
        (7.0, {"retry-after": "7"}, Wait(7.0, 1.0)),
    ],
)
def test_whole_seconds_may_have_been_rounded_up(
    seconds: float | None, headers: dict[str, str], wait: Wait | None
) -> None:
    """Milliseconds are exact, unless they are whole seconds as well."""
    assert wait_told(seconds, headers) == wait
