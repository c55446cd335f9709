"""Tags of tenants in the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import load

Write = Callable[[str], Path]
Found = Callable[[str], list[str]]

FORM = "a tag's name must be 1 to 32 of the characters a-z, 0-9, '_', '.' and '-'"
VALUE = "a tag's value must be 1 to 64 printable characters"
MANY = ", ".join(f"t{number}: x" for number in range(9))


def test_tags_are_text_by_name(write: Write, minimal: str) -> None:
    """None unless some are given."""
    text = 'tenants: {a: {tags: {cost_center: "42", team: Zürich}}, b: {}}\n'
    tenants = load(write(minimal + text), {}).tenants
    assert tenants["a"].tags == {"cost_center": "42", "team": "Zürich"}
    assert tenants["b"].tags == {}


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ("{Project: x}", f"9:22: tenants.a.tags.Project: {FORM}"),
        ("{project: ''}", f"9:31: tenants.a.tags.project: {VALUE}"),
        ('{project: "x\\ny"}', f"9:31: tenants.a.tags.project: {VALUE}"),
        ("{project: 42}", "9:31: tenants.a.tags.project: must be text (put it in quotes)"),
        ("[x]", "9:21: tenants.a.tags: must be a mapping"),
        (f"{{{MANY}}}", "9:21: tenants.a.tags: must have at most 8 entries"),
    ],
)
def test_a_mistake_is_named_at_its_place(
    found: Found, minimal: str, tags: str, problem: str
) -> None:
    """Names, values, and how many there are."""
    assert found(f"{minimal}tenants: {{a: {{tags: {tags}}}}}\n") == [problem]
