"""docs/threat-model.md names tests that are there, for every risk of both lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "threat-model.md"
TEXT: Final = PAGE.read_text("utf-8")
NAMED: Final = sorted(set(re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/.]+)\)", TEXT)))
RISKS: Final = [f"API{n}" for n in range(1, 11)] + [f"LLM{n:02}" for n in range(1, 11)]


def test_the_page_names_many() -> None:
    """So that the tests below look at something, and no name stands without its file."""
    assert len(NAMED) > 40
    assert len(re.findall(r"`test_", TEXT)) == len(
        re.findall(r"\[`test_\w+`\]\(\.\./tests/[\w/]+\.py\)", TEXT)
    )


@pytest.mark.parametrize(("name", "file"), NAMED, ids=[name for name, _ in NAMED])
def test_every_test_that_the_threat_model_names_is_there(name: str, file: str) -> None:
    """In the file that it links to."""
    assert re.search(rf"(?m)^ *(async )?def {name}\(", (ROOT / file).read_text("utf-8")), file


@pytest.mark.parametrize("risk", RISKS)
def test_the_threat_model_has_every_risk_of_the_lists(risk: str) -> None:
    """One row each, with a control and at least one test."""
    (row,) = re.findall(rf"(?m)^\| \*\*{risk}\*\* .*$", TEXT)
    _, control, shown = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(control) > 20
    assert "[`test_" in shown


@pytest.mark.parametrize(
    "attacker",
    [
        "another tenant",
        "a stolen key",
        "a malicious or broken upstream",
        "an insider with an admin key",
        "a network attacker",
    ],
)
def test_the_threat_model_has_every_attacker(attacker: str) -> None:
    """With at least one test in its row."""
    (row,) = re.findall(rf"(?m)^\| \*\*{attacker}\*\* \|.*$", TEXT)
    assert "[`test_" in row
