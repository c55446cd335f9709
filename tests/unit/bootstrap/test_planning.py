"""The question that `spillgate plan` asks, of the catalogue and of what was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.bootstrap.planning import planned, question_of
from app.cli.plan import Asked, CannotPlan
from app.planner.sizing.traffic import UnreadableTraffic
from app.planner.sizing.what_if import WhatIf
from app.settings import load_catalog
from tests.fakes.changed import replace

ASKED = Asked(
    "gpt-4o",
    "gpt-4o",
    archive=None,
    csv=None,
    since=None,
    until=None,
    kind="global",
    most=1000,
    usd_per_ptu=(None, None, None),
    what_if=WhatIf(),
    seed=7,
)
HEAD = "at,input,output\n"


def ignore(_: int) -> None:
    """Nobody watches."""


def test_that_sizes_and_prices_are_the_catalogues() -> None:
    """Of gpt-4o a PTU does 2,500 input tokens a minute, and they are sold by fives."""
    question = question_of(ASKED, load_catalog())
    assert question.capacity.tokens_per_s == pytest.approx(2500 / 60)
    assert (question.sizes.minimum, question.sizes.increment, question.sizes.most) == (15, 5, 1000)
    assert (question.paygo.input, question.paygo.cached_input, question.paygo.output) == (
        2.5,
        1.25,
        10.0,
    )
    by_hour = {each.name: each.usd_per_ptu_hour for each in question.terms}
    assert by_hour == {
        "hourly": 1.0,
        "monthly": pytest.approx(260 / 730),
        "yearly": pytest.approx(2652 / 8760),
    }


def test_that_a_data_zone_costs_more_and_regions_are_sold_by_fifties() -> None:
    """PAYGO and PTUs alike."""
    zone = question_of(replace(ASKED, kind="datazone"), load_catalog())
    assert zone.paygo.input == pytest.approx(2.75)
    assert zone.terms[0].usd_per_ptu_hour == pytest.approx(1.1)
    regional = question_of(replace(ASKED, kind="regional"), load_catalog())
    assert (regional.sizes.minimum, regional.sizes.increment) == (50, 50)


def test_that_prices_of_ones_own_hold() -> None:
    """Those that are given; a price of nothing is one."""
    question = question_of(replace(ASKED, usd_per_ptu=(None, 0.0, 876.0)), load_catalog())
    assert [each.usd_per_ptu_hour for each in question.terms] == [1.0, 0.0, pytest.approx(0.1)]


@pytest.mark.parametrize(
    ("base", "said"),
    [("our-model", "not in the model catalogue"), ("text-embedding-3-small", "not sold as PTU")],
)
def test_what_cannot_be_sized(base: str, said: str) -> None:
    """Its name is in the line."""
    with pytest.raises(CannotPlan, match=f"{base}.*{said}"):
        question_of(replace(ASKED, base_model=base), load_catalog())


def test_a_plan_of_a_file(tmp_path: Path) -> None:
    """Only of the time that was asked for."""
    path = tmp_path / "traffic.csv"
    path.write_text(HEAD + "".join(f"{at},1000,100\n" for at in range(0, 100_000, 100)))
    found = planned(replace(ASKED, csv=path, since=50_000.0, until=60_000.0), ignore)
    assert (found.requests, found.since, found.until) == (100, 50_000.0, 59_900.0)
    assert [each.ptus for each in found.options] == [0, 15]


def test_that_growth_counts_in_what_is_held_in_memory(tmp_path: Path) -> None:
    """Else a million requests, a hundred times, would be fifty gigabytes beside the gateway."""
    csv = tmp_path / "traffic.csv"
    csv.write_text(HEAD + "".join(f"2026-11-03T10:00:{n:02}Z,1000,100\n" for n in range(10)))
    asked = replace(ASKED, csv=csv, at_most=20)
    twice, thrice = (replace(asked, what_if=WhatIf(growth=growth)) for growth in (2.0, 3.0))
    assert planned(twice, ignore).requests == 20
    with pytest.raises(CannotPlan, match="more than 20 requests, 3 times"):
        planned(thrice, ignore)


def test_what_there_is_no_plan_of(tmp_path: Path) -> None:
    """No traffic, no archive, no file, no sense; each says so."""
    path = tmp_path / "traffic.csv"
    path.write_text(HEAD)
    with pytest.raises(CannotPlan, match="no traffic of 'gpt-4o'"):
        planned(replace(ASKED, csv=path), ignore)
    with pytest.raises(CannotPlan, match="no ledger's archive in "):
        planned(replace(ASKED, archive=tmp_path / "nowhere"), ignore)
    with pytest.raises(FileNotFoundError):
        planned(replace(ASKED, csv=tmp_path / "nothing.csv"), ignore)
    path.write_text(HEAD + "1,2\n")
    with pytest.raises(UnreadableTraffic, match="line 2"):
        planned(replace(ASKED, csv=path), ignore)
