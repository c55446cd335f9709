"""Tables of a page are those that the command printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.planner.compare import compare
from app.planner.page import renewed

PAGE = """# Routing

Text with | a bar.

`few-large/right`: 15 PTUs, 1 requests in 1 h, seed 7

| strategy | PTU utilisation |
| --- | --: |
| retry-after, shared | 1.00% |

### All together

| scenario | retry-after, shared | shadow bucket |
| --- | --: | --: |
| few-large/right | 1 at 1.00% | 1 at 1.00% |

| scenario | a tenth | shadow bucket |
| --- | --: | --: |
| few-large/right | 0.1 | 1 |

<!-- a remark -->
```
shadow bucket: met in 1 of 1
```

What it costs:

| strategy | PTU utilisation |
| --- | --: |
| of another command | 2.00% |
"""
PRINTED = """few-large/right: 15 PTUs, 22 requests in 2 h, seed 8

| strategy | PTU utilisation |
| --- | --: |
| shadow bucket | 9.00% |

Wasted round trips, at PTU utilisation

| scenario | retry-after, shared | shadow bucket |
| --- | --: | --: |
| few-large/right | 9 at 9.00% | 9 at 9.00% |

Verdict, cell by cell.

| scenario | a tenth | shadow bucket |
| --- | --: | --: |
| few-large/right | 0.9 | 9 |

shadow bucket: met in 0 of 1; short in few-large/right
shadow bucket, fair shares: met in 1 of 1
"""


def test_tables_headings_and_counts_are_the_printed_ones() -> None:
    """Each in its place; the text around them, and tables of other commands, stay."""
    page = renewed(PAGE, PRINTED)
    assert "`few-large/right`: 15 PTUs, 22 requests in 2 h, seed 8\n\n| strategy" in page
    assert "| shadow bucket | 9.00% |" in page
    assert "| few-large/right | 9 at 9.00% | 9 at 9.00% |" in page
    assert "| few-large/right | 0.9 | 9 |" in page
    assert (
        "<!-- a remark -->\n```\nshadow bucket: met in 0 of 1; short in few-large/right\nshadow"
        in page
    )
    assert page.count("```") == 2
    assert "1.00%" not in page
    for kept in ("# Routing\n\nText with | a bar.", "### All together", "| of another command |"):
        assert kept in page
    assert page.endswith("| of another command | 2.00% |\n")


def test_what_was_not_printed_is_left() -> None:
    """A part of the scenarios says nothing of the others."""
    only = PRINTED.split("Wasted round trips", maxsplit=1)[0]
    page = renewed(PAGE, only)
    assert "22 requests" in page
    assert "| few-large/right | 1 at 1.00% | 1 at 1.00% |" in page
    assert renewed(page, only) == page


def test_a_page_without_any_of_it_is_a_mistake() -> None:
    """It would look renewed, and was not."""
    with pytest.raises(ValueError, match="no table"):
        renewed("# Another page\n", PRINTED)


def test_the_command_renews_a_page(tmp_path: Path) -> None:
    """As what it prints, in Markdown whatever was asked for."""
    path = tmp_path / "routing.md"
    path.write_text(PAGE)
    written: list[str] = []
    arguments = ("--scenario", "few-large/right", "--strategy", "retry", "--hours", "0.1")
    assert compare((*arguments, "--page", str(path)), written.append) == 0
    page = path.read_text()
    assert "0.1 h, seed 7" in page
    assert "| retry-after, per replica |" in page
    assert "".join(written).split("\n\n")[1] in page
