"""Docstrings below fields, which the interpreter drops."""

from __future__ import annotations

from app.settings.docstrings import field_docstrings, section_docstring
from app.settings.section import Section


class Below(Section):
    """One section.

    It has two paragraphs.
    """

    first: int = 1
    """What the first
    is."""
    second: int = 2
    third: int = 3
    "Single quotes do as well."

    def method(self) -> None:
        """This belongs to no field."""


class Further(Below):
    second: int = 4
    """Said later."""
    third: int = 5
    """Said anew."""


def test_that_fields_have_what_stands_below_them() -> None:
    """On one line each; a field without a docstring has none, least of all its neighbour's."""
    assert field_docstrings(Below) == {
        "first": "What the first is.",
        "third": "Single quotes do as well.",
    }
    assert section_docstring(Below) == "One section. It has two paragraphs."


def test_that_a_section_has_those_of_the_one_it_extends() -> None:
    """What it says itself goes before."""
    assert field_docstrings(Further) == {
        "first": "What the first is.",
        "second": "Said later.",
        "third": "Said anew.",
    }
