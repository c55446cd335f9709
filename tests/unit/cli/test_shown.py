"""Values as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import shown
from tests.fakes.command_line import BERLIN, NOW


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (None, "-"),
        (0, "$0.0000"),
        (1, "<$0.0001"),
        (99_999, "<$0.0001"),
        (100_000, "$0.0001"),
        (1_234_567_890_123, "$1,234.5679"),
        (-2_500_000_000, "-$2.5000"),
    ],
)
def test_nano_dollars_are_dollars(nano_usd: int | None, text: str) -> None:
    """What was spent is never shown as nothing."""
    assert shown.dollars(nano_usd) == text


@given(st.integers(100_000, 10**24))
def test_dollars_are_right_to_half_of_the_last_digit(nano_usd: int) -> None:
    """However large: no floating point is in between."""
    read_back = Decimal(shown.dollars(nano_usd).replace(",", "").removeprefix("$"))
    assert abs(read_back * 10**9 - nano_usd) <= 50_000


def test_times_are_local_with_their_zone() -> None:
    """Unix seconds and ISO 8601 alike; nothing is a dash."""
    moment = shown.moments(BERLIN)
    assert moment(NOW) == moment("2026-11-21T08:00:00Z") == "2026-11-21 09:00:00 CET"
    assert moment(NOW - 150 * 86400) == "2026-06-24 10:00:00 CEST"
    assert [moment(value) for value in (None, 0, "")] == ["-"] * 3


@given(st.text())
def test_text_never_steers_a_terminal_or_breaks_a_line(text: str) -> None:
    """Whatever a caller put into a tag."""
    assert shown.text(text).isprintable()
    assert shown.pairs({text: text}).isprintable()
    assert shown.listed([text, text]).isprintable()


def test_amounts_are_dollars_where_the_limit_is() -> None:
    """Counts have separators and keep their fractions."""
    assert shown.amount("usd_per_day", 1234.5) == "$1,234.50"
    assert shown.amount("usd_per_day", 0.001) == "$0.001"
    assert shown.amount("usd_per_day", 20) == "$20.00"
    assert shown.amount("tpm", 1_000_000.0) == "1,000,000"
    assert shown.amount("rps", 0.5) == "0.5"
