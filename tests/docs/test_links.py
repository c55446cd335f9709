"""Links within the project lead to a file, and to a heading that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages
from tests.docs.links import anchors, faults

EVERY = [*pages(), "CHANGELOG.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", EVERY)
def test_links_lead_somewhere(page: str) -> None:
    """Generated pages included."""
    found = [each.replace(f"{ROOT}/", "") for each in faults(ROOT / page)]
    assert not found, "\n".join(found)


def test_the_index_of_runbooks_leads_to_each() -> None:
    """Whoever is paged begins there."""
    books = ROOT / "docs" / "runbooks"
    index = (books / "README.md").read_text("utf-8")
    missing = [book.name for book in books.glob("*.md") if f"]({book.name})" not in index]
    assert missing == ["README.md"]


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    """To no file, and to no heading, on any page; what stands in code is no link."""
    page = tmp_path / "page.md"
    page.write_text(
        "# A `page` of mine\n\n[a](no.md) [b](#a-page-of-mine) ![c](no.svg) [d](page.md#no)\n"
        "[e](https://example.com/no#no) `[f](no.md)`\n\n"
        "| [g][ref] |\n|---|\n| [h](no/) |\n\n[ref]: #nowhere\n\n```sh\n# no\n```\n"
    )
    told = [each.split(": ")[1].split(";")[0] for each in faults(page)]
    assert told == [
        "there is no no.md",
        "there is no no.svg",
        "page.md has no heading #no",
        "page.md has no heading #nowhere",
        "there is no no/",
    ]


def test_repeated_headings_have_numbers(tmp_path: Path) -> None:
    """As GitHub numbers them."""
    page = tmp_path / "page.md"
    page.write_text("# One\n\n## Two, *three*\n\n## One\n")
    assert anchors(page) == {"one", "two-three", "one-1"}
