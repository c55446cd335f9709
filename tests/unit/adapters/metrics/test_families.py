"""The table of families, its page in the documents, and whether anybody fills them."""

from __future__ import annotations

import re
from pathlib import Path

from app.adapters.metrics import families
from app.adapters.metrics.families import FAMILIES
from app.adapters.metrics.family import Family, FamilyKind
from tests.tools.metrics_page import PAGE, page

APP = Path(families.__file__).parents[2]


def test_the_page_is_the_one_that_is_made() -> None:
    """Whoever changes a family makes the page anew."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_has_every_family() -> None:
    """Each in one table, and histograms in that of their buckets."""
    rows = re.findall(r"^\| `(\w+)` \|", page(), re.MULTILINE)
    once = [each.name for each in FAMILIES]
    assert sorted(rows) == sorted(
        once + [each.name for each in FAMILIES if each.kind is FamilyKind.HISTOGRAM]
    )


def test_every_family_is_filled_by_somebody() -> None:
    """A family that nothing counts or reads is a promise that is not kept."""
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for path in APP.rglob("*.py")
        if path != Path(families.__file__)
    )
    names = {name for name, value in vars(families).items() if isinstance(value, Family)}
    unfilled = {name for name in names if not re.search(rf"\b{name}\b", source)}
    assert not unfilled


def test_names_follow_the_conventions_of_prometheus() -> None:
    """One of two prefixes; counters end in `_total`, and nothing else does."""
    for family in FAMILIES:
        assert re.fullmatch(r"(llm|spillgate|process)_[a-z][a-z_]*", family.name), family.name
        assert family.name.endswith("_total") is (family.kind is FamilyKind.COUNTER), family.name
        assert list(family.buckets) == sorted(set(family.buckets)), family.name
        assert family.help.endswith("."), family.name
