"""What is given on the command line is read, or refused with what it should be."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import typer
from hypothesis import given as each
from hypothesis import strategies as st

from app.cli import given
from app.domain.quota.limit import LimitName
from tests.fakes.command_line import BERLIN, NOW


@pytest.mark.parametrize(
    ("text", "length"), [("0s", 0), ("90m", 5400), ("24h", 86400), ("7d", 604800), ("2w", 1209600)]
)
def test_durations_are_seconds(text: str, length: int) -> None:
    """And count backwards or forwards from now."""
    assert given.seconds(text) == length
    assert given.moment_before(text, NOW, BERLIN) == NOW - length
    assert given.moment_after(text, NOW, BERLIN) == NOW + length


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5h", "1y", "1d 2h"])
def test_what_is_no_duration_is_a_usage_mistake(text: str) -> None:
    """It says what one looks like."""
    with pytest.raises(typer.BadParameter, match="such as 90m or 7d"):
        given.seconds(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21", datetime(2026, 11, 20, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-11-21T09:00", datetime(2026, 11, 21, 8, tzinfo=UTC)),
        ("2026-11-21T09:00-05:00", datetime(2026, 11, 21, 14, tzinfo=UTC)),
        ("2026-11-21T09:00Z", datetime(2026, 11, 21, 9, tzinfo=UTC)),
    ],
)
def test_dates_and_times_are_local_unless_they_name_their_zone(text: str, moment: datetime) -> None:
    """Summer time included."""
    assert given.moment_before(text, NOW, BERLIN) == moment.timestamp()


@each(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # bounds are naive by hypothesis' contract
def test_a_time_with_its_offset_is_read_to_the_second_in_any_zone(moment: datetime) -> None:
    """What a user's zone is does not matter then."""
    text = moment.isoformat()
    for zone in (BERLIN, ZoneInfo("Pacific/Chatham"), None):
        assert given.moment_after(text, NOW, zone) == moment.timestamp()


@pytest.mark.parametrize(
    ("text", "amount"), [("600", 600), ("200_000", 200_000), ("1,200", 1200), ("$9.50", 9.5)]
)
def test_amounts_are_read_as_people_write_them(text: str, amount: float) -> None:
    """Whole ones stay whole."""
    found = given.amount(LimitName.USD_PER_DAY, text)
    assert (found, type(found)) == (amount, type(amount))


def test_tags_keep_what_follows_the_first_equals_sign() -> None:
    """A value may be empty; a name may not."""
    assert given.tags(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    with pytest.raises(typer.BadParameter, match="name=value"):
        given.tags(["=x"])
