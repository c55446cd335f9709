"""Models that are other models by another name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import load

Found = Callable[[str], list[str]]


def test_an_alias_is_served_as_what_it_stands_for(
    write: Callable[[str], Path], minimal: str
) -> None:
    """Also through another alias, and wherever it stands in the file."""
    aliases = "  a-newest: {alias: latest}\n  latest: {alias: gpt-4o}\n"
    read = load(write(minimal + aliases), {})
    assert list(read.models) == ["gpt-4o", "a-newest", "latest"]
    tiers = read.models["gpt-4o"].tiers
    assert tiers
    assert [read.tiers_of(name) for name in read.models] == [tiers] * 3


@pytest.mark.parametrize(
    ("entries", "problems"),
    [
        ("a: {}", ["9:3: models.a.tiers: is missing: a model has tiers, or is an alias"]),
        (
            "a: {alias: gpt-4}",
            ["9:14: models.a.alias: unknown model gpt-4; did you mean gpt-4o?"],
        ),
        (
            "a: {alias: gpt-4o, tiers: [[east]]}",
            ["9:7: models.a.alias: does not belong beside tiers"],
        ),
        ("a: {alias: a}", ["9:14: models.a.alias: leads back to itself"]),
        (
            "a: {alias: b}\n  b: {alias: c}\n  c: {alias: b}",
            [
                "10:14: models.b.alias: leads back to itself",
                "11:14: models.c.alias: leads back to itself",
            ],
        ),
        ("a: {alias: [gpt-4o]}", ["9:14: models.a.alias: must be text (put it in quotes)"]),
        ("a: {alias: east}", ["9:14: models.a.alias: unknown model east"]),
    ],
)
def test_an_alias_that_leads_nowhere_is_a_mistake_at_its_place(
    found: Found, minimal: str, entries: str, problems: list[str]
) -> None:
    """Those that only lead into a circle are not blamed for it."""
    assert found(f"{minimal}  {entries}\n") == problems
