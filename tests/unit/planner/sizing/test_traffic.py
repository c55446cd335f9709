"""Requests of the ledger, and of files that somebody made."""

from __future__ import annotations

import pytest

from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.planner.sizing.traffic import Recorded, UnreadableTraffic, of_csv, of_ledger
from tests.fakes.changed import replace

ROW = LedgerRow(
    "1",
    RowKind.SETTLED,
    at=103.0,
    tenant="search",
    model="gpt-4o",
    deployment="ptu",
    input=900,
    cached_input=300,
    output=70,
    started_at=100.0,
    duration=3.0,
)
HEAD = "at,input,cached_input,output,max_output,duration_s,tenant\n"


def test_what_is_taken_of_the_ledger() -> None:
    """What an upstream answered of the model; not what the cache did, nor the gateway's own."""
    others = (
        replace(ROW, model="gpt-5"),
        replace(ROW, deployment=None, cache="exact"),
        replace(ROW, errand="judge"),
        replace(ROW, corrects="1", output=-60),
        replace(ROW, kind=RowKind.RELEASED),
        replace(ROW, started_at=0.0),  # of a version that did not say
    )
    found = list(of_ledger([ROW, *others], "gpt-4o"))
    assert found == [Recorded(100.0, 3.0, 900, 300, 70, None, "search")]


def test_a_whole_line_of_a_file() -> None:
    """Times as a number, or in words; without a zone they are UTC."""
    lines = [HEAD, "100,900,300,70,200,3.5,search\n", "1970-01-01T00:01:40+00:00,1,,2,,,\n"]
    lines.append("1970-01-01 00:01:40,1,,2,,,\n")
    full, iso, plain = of_csv(lines)
    assert full == Recorded(100.0, 3.5, 900, 300, 70, 200, "search")
    assert iso == plain == Recorded(100.0, 0.53, 1, 0, 2)


def test_that_only_three_columns_are_needed() -> None:
    """Durations are guessed by the length of the answer; others may stand beside them."""
    (found,) = of_csv(["who,at,output,input\n", "me,5,100,10\n"])
    assert found == Recorded(5.0, 2.0, 10, 0, 100)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x,1,,1,,,", "line 2: Invalid isoformat string: 'x'"),
        ("nan,1,,1,,,", "line 2: at 'nan' is no time"),
        ("-1,1,,1,,,", "line 2: at '-1' is no time"),
        ("1,-3,,1,,,", "line 2: input '-3' is no number of tokens"),
        ("1,1.5,,1,,,", "line 2: input '1.5' is no number of tokens"),
        ("1,3,4,1,,,", "line 2: cached_input 4 is more than input 3"),
        ("1,3,,1,,inf,", "line 2: duration_s 'inf' is no time"),
    ],
)
def test_that_a_mistake_has_its_line(line: str, said: str) -> None:
    """Nothing after it is read."""
    with pytest.raises(UnreadableTraffic) as raised:
        list(of_csv([HEAD, line + "\n"]))
    assert said in str(raised.value)


@pytest.mark.parametrize("lines", [[], ["\n"], ["at,input\n"]])
def test_that_a_heading_is_missed(lines: list[str]) -> None:
    """With the columns that it lacks."""
    with pytest.raises(UnreadableTraffic, match=r"line 1: no column .*output"):
        list(of_csv(lines))
