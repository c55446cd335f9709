"""What the documents say is so: the example loads, what they name exists, and they are brief.

Their blocks and their links are looked at by `tests/docs`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli.check import check
from app.cli.key import new_key
from tests.tools.command_line import command_names

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MOST_WORDS = 40
README_LINES = 70
SPANS = re.DOTALL | re.MULTILINE
PRAISE = re.compile(
    r"\b(?:seamless|robust|powerful|blazing|effortless|cutting.edge|state.of.the.art|simply"
    r"|enterprise.grade|world.class|best.in.class|leverage|revolution|game.chang|next.gen)\w*",
    re.IGNORECASE,
)
SECRETS = ("SWEDEN_KEY", "SEARCH_TEAM_KEY", "REPORTS_KEY", "SPILLGATE_ADMIN_KEY")


def test_the_example_config_passes_check() -> None:
    """A reader who copies the commented example gets one that works."""
    environment = {name: new_key("test") for name in SECRETS}
    assert check(ROOT / "examples" / "spillgate.yaml", environment).exit_code == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_praises(page: Path) -> None:
    """Readers want to know what it does."""
    assert PRAISE.findall(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short(page: Path) -> None:
    """Forty words are enough; what needs more is two sentences, or a list."""
    text = re.sub(r"```.*?```|<!--.*?-->|^[|>#].*?$", "\n\n", page.read_text(), flags=SPANS)
    text = re.sub(r"`[^`]*`", "x", text)
    long = [
        sentence
        for paragraph in re.split(r"\n\s*\n|\n\s*[-*] |\n\s*\d+\. ", text)
        for sentence in re.split(r"(?<=[.!?:;])\s", " ".join(paragraph.split()))
        if len(sentence.split()) > MOST_WORDS
    ]
    assert long == []


def test_the_readme_fits_on_a_screen() -> None:
    """What it is, how to try it, where to read on; whatever else has a page."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


def test_commands_named_in_the_documents_exist() -> None:
    """`spillgate something` in a page is a command."""
    code = "".join(
        each for page in PAGES for each in re.findall(r"`[^`]+`|```.*?```", page.read_text(), SPANS)
    )
    named = set(re.findall(r"(?:^|[`/$(] ?)spillgate ([a-z]+)", code, re.MULTILINE))
    assert named
    assert named <= command_names()


def test_make_targets_named_in_the_documents_exist() -> None:
    """`make something` in a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named
    assert named <= targets


def test_every_figure_stands_below_a_command_that_makes_it_again() -> None:
    """A section of the measurements names at least one target of the Makefile."""
    page = (ROOT / "docs" / "measurements.md").read_text()
    for section in page.split("\n## ")[1:]:
        assert re.search(r"`make [a-z-]+", section), section.splitlines()[0]


def test_tests_named_in_the_documents_exist() -> None:
    """`-k something` in a page chooses at least one test."""
    named = {name for page in PAGES for name in re.findall(r'ARGS="-k (\w+)', page.read_text())}
    tests = " ".join(
        name
        for path in ROOT.glob("tests/**/test_*.py")
        for name in (path.stem, *re.findall(r"def (test_\w+)", path.read_text()))
    )
    assert named
    assert [name for name in named if name not in tests] == []
