"""What a page says that a command prints is found in what it printed, or is not."""

from __future__ import annotations

import pytest

from tests.docs.placeholders import replaced
from tests.docs.printed import headings, missing

SAID = "TENANT  COST\nsearch-team  $12.3457\nexport KEY=spg_…\nreq_0123456789abcdef01234567\n"


def test_numbers_ids_and_widths_may_differ() -> None:
    """They do from run to run."""
    printed = f"TENANT       COST\nsearch-team  $0.10\nexport KEY=spg_test\nreq_{'a' * 24}\n"
    assert missing(SAID, printed) == []


@pytest.mark.parametrize(
    ("printed", "other"),
    [
        ("TENANT  COST", "TENANT  PRICE"),
        ("search-team  $1", "search-team  $-"),
        ("export KEY=spg_1", "export KEY="),
        (f"req_{'0' * 24}", "req_0"),
    ],
)
def test_words_and_forms_may_not(printed: str, other: str) -> None:
    """A column that was renamed is noticed."""
    every = f"TENANT  COST\nsearch-team  $1\nexport KEY=spg_1\nreq_{'0' * 24}\n"
    assert missing(SAID, every) == []
    assert len(missing(SAID, every.replace(printed, other))) == 1


def test_headings_are_lines_in_capitals() -> None:
    """Of a table with other data they are what can be compared."""
    assert headings(SAID) == "TENANT  COST"


def test_a_readers_own_values_are_put_in() -> None:
    """Addresses, ids, and variables that have a value already."""
    text = "export A_KEY=…  # yours\ncurl http://127.0.0.1:8081/x http://GATEWAY:8080/y Ab3dEf6hIj"
    assert replaced(text, data_url="http://d", admin_url="http://a") == (
        ":\ncurl http://a/x http://d/y $(docs-key)"
    )
