"""Cutting endings off."""

from __future__ import annotations

import pytest

from app.domain.cache.guards.stems import Endings, stem

GERMAN = Endings("de", ("en", "e", "t"), 3)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("cancel", "cancels", True),
        ("city", "cities", True),
        ("stopping", "stopped", True),
        ("bake", "baking", True),
        ("box", "boxes", True),
        ("employer", "employee", False),
        ("bus", "bu", False),
        ("sing", "s", False),
    ],
)
def test_english_inflection_goes_and_no_more(one: str, other: str, *, alike: bool) -> None:
    """Endings that make other words stay."""
    english = Endings("en")
    assert (stem(one, english) == stem(other, english)) is alike


def test_other_endings_come_from_the_table() -> None:
    """The longest is cut, and enough is left."""
    assert stem("kaufen", GERMAN) == stem("kauft", GERMAN) == "kauf"
    assert stem("rat", GERMAN) == "rat"
    assert stem("kaufen", Endings()) == "kaufen"
