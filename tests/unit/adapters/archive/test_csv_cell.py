"""Cells that are no formulas, whatever a spreadsheet splits lines by."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.archive.csv_cell import cell

#: Alone, or where a reader does not split by commas, before what is beside it.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?\s*(,|$)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+a", "'+a"),
        ("-a", "'-a"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        (" =x", " '=x"),
        ('"=x', "\"'=x"),
        ("\uff1dx", "'\uff1dx"),
        ("a;=cmd|' /C calc'!A0", "a;'=cmd|' /C calc'!A0"),
        ('a;"=x"', 'a;"\'=x"'),
        ("a; -x", "a; '-x"),
        ("a\n=x", "a\n'=x"),
        ("a\t@x", "a\t'@x"),
        ("a|=x", "a|'=x"),
        ("-1;=x", "'-1;'=x"),
        ("\0=x", "\0'=x"),
        ("\ufeff=x", "\ufeff'=x"),
        ("a;\u200b@x", "a;\u200b'@x"),
        ("a\u2028=x", "a\u2028'=x"),
        ("a\x0b=x", "a\x0b'=x"),
        ("a=b", "a=b"),
        ("a-b; c", "a-b; c"),
        ("2026-11-22", "2026-11-22"),
        ('{"team":"a"}', '{"team":"a"}'),
        ("", ""),
    ],
)
def test_what_may_be_a_formula_has_an_apostrophe_before_it(text: str, shown: str) -> None:
    """At the beginning, and behind whatever may separate cells; all else stays as it is."""
    assert cell(text) == shown


@pytest.mark.parametrize("value", ["-1", "-12.30", "+5", "0", -1, -0.5, None, True, 2**53])
def test_numbers_stay_as_they_are(value: object) -> None:
    """A credit is no formula."""
    assert cell(value) is value


@pytest.mark.parametrize("value", ["-1e5", "-1+1", "1;-1", "-", "--1", "-1.", "-\u0661"])
def test_what_only_looks_like_a_number_is_a_text(value: str) -> None:
    """Only what every spreadsheet reads as one number is none."""
    assert cell(value) == re.sub(r"(^|;)-", r"\1'-", value, count=1)


@given(
    st.lists(
        st.one_of(st.text("=+-@;,|\t\r\n\"' a1\uff1d"), st.integers(-9, 9)), min_size=1, max_size=4
    )
)
def test_no_reader_sees_a_formula(row: list[str | int]) -> None:
    """By commas, semicolons, tabs or bars: each splits elsewhere, and none finds one."""
    target = io.StringIO(newline="")
    csv.writer(target).writerow(map(cell, row))
    for delimiter in ",;\t|":
        for cells in csv.reader(io.StringIO(target.getvalue(), newline=""), delimiter=delimiter):
            for each in cells:
                text = each.lstrip(' "')
                assert _NUMBER.match(text) or not text.startswith(("=", "+", "-", "@", "\uff1d"))


def test_a_cell_full_of_separators_takes_time_in_proportion() -> None:
    """A quarter of a million of them are read at once; twice over each other they never end."""
    assert len(str(cell("\t" * 250_000))) == 250_001
