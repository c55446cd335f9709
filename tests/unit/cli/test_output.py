"""Tables and lists, whatever they hold."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.output import Column, Output, plain_table

COLUMNS = (
    Column("A", lambda row: str(row["a"])),
    Column("B", lambda row: str(row["b"]), right=True),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.text("xyz", min_size=1), st.text("123", min_size=1))))
def test_columns_of_plain_text_stand_below_each_other(rows: list[tuple[str, str]]) -> None:
    """Left ones begin and right ones end at the same place in every line."""
    first, *others = plain_table(COLUMNS, rows)
    assert len(others) == len(rows)
    for line, (left, right) in zip(others, rows, strict=True):
        assert line.startswith(left)
        assert line.endswith(right)
        assert len(line) == len(first)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


LATENCY = (
    Column("DEPLOYMENT", lambda row: str(row["name"])),
    Column("MEDIAN", lambda row: "64.4 [60.0, 69.8]", right=True),
    Column("WHY", lambda row: "it was silent for too long"),
)
NAMES = [{"name": "ptu-east"}, {"name": "paygo-sweden"}]


def on_terminal(width: int) -> list[str]:
    out = _Terminal()
    Output(out, io.StringIO(), width=width, colour=False).table(LATENCY, NAMES)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("width", [43, 60, 80, 120])
def test_on_a_terminal_sentences_are_wrapped_and_nothing_else(width: int) -> None:
    """Names and intervals stand whole in one line, which is no longer than the terminal is wide."""
    lines = on_terminal(width)
    for name in ("DEPLOYMENT", "ptu-east", "paygo-sweden"):
        assert len([line for line in lines if line.split()[0] == name]) == 1
    assert len([line for line in lines if "64.4 [60.0, 69.8]" in line]) == 2
    assert max(map(len, lines)) <= width
    assert "DEPLOYMENT" in lines[0]
    assert "WHY" in lines[0]


def test_a_terminal_too_narrow_for_that_has_a_block_for_each_row() -> None:
    """Behind its heading each cell is whole."""
    assert on_terminal(42) == [
        "DEPLOYMENT  ptu-east",
        "MEDIAN      64.4 [60.0, 69.8]",
        "WHY         it was silent for too long",
        "DEPLOYMENT  paygo-sweden",
        "MEDIAN      64.4 [60.0, 69.8]",
        "WHY         it was silent for too long",
    ]


@given(st.lists(st.lists(_JSON)))
def test_a_list_of_pages_is_json_with_every_entry_unchanged(pages: list[list[object]]) -> None:
    """Also of none, of text in any script, and of what no encoding has."""
    out = io.StringIO()
    Output(out, io.StringIO()).json_list(pages)
    expected = [entry for page in pages for entry in page]
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue()) == {"data": expected, "next": None}


def test_entries_are_written_as_they_come() -> None:
    """A ledger of millions of rows is not held in memory."""
    out = io.StringIO()
    written: list[int] = []

    def pages() -> list[list[int]]:
        written.append(len(out.getvalue()))
        return [[1]]

    Output(out, io.StringIO()).json_list(page for _ in range(3) for page in pages())
    assert written[0] < written[1] < written[2]
