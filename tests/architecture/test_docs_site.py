"""The documents as a site and as an index: every page is there, and every link leads somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.tools import llms_text
from tests.tools.diagrams import drawn
from tests.tools.docs_site import (
    DOCS,
    PAGES,
    SITE,
    configured,
    loaded_from_elsewhere,
    nav,
    pages,
    put_together,
)

LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def test_every_page_is_in_the_navigation_once() -> None:
    """Whoever adds a page adds it to zensical.toml."""
    listed = list(pages(nav()))
    written = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert len(listed) == len(set(listed))
    assert set(listed) == written | {"index.md"}


def test_the_index_is_the_one_that_is_made() -> None:
    """Whoever changes how a page begins runs `make reference`."""
    assert llms_text.FILE.read_text("utf-8") == llms_text.text()


def test_the_index_leads_to_every_page() -> None:
    """Each link has a line of its own that says what is there."""
    index = llms_text.text()
    linked = LINK.findall(index)
    assert all((DOCS / target).is_file() for target in linked)
    assert {DOCS / target for target in linked} >= set(DOCS.rglob("*.md"))
    for line in index.splitlines():
        assert not line.startswith("- ") or re.fullmatch(r"- \[[^]]+\]\([^)]+\): \S.*", line), line


def test_links_lead_somewhere_within_the_site(tmp_path: Path) -> None:
    """Links to pages are kept, and those to sources, which it does not have, are text."""
    put_together(tmp_path)
    found = [
        (page, target)
        for page in tmp_path.rglob("*.md")
        for target in LINK.findall(page.read_text("utf-8"))
    ]
    assert len(found) > 100
    assert [each for each in found if not (each[0].parent / each[1]).is_file()] == []
    architecture = (tmp_path / "architecture.md").read_text("utf-8")
    assert "gateway.py" in architecture
    assert "(../app/" not in architecture
    assert "](configuration.md)" in (tmp_path / "index.md").read_text("utf-8")


def test_the_site_is_built_beside_what_it_is_made_of(tmp_path: Path) -> None:
    """So that the cache that its builder removes is its own."""
    configured(tmp_path / "zensical.toml")
    project = tomllib.loads((tmp_path / "zensical.toml").read_text("utf-8"))["project"]
    assert (project["docs_dir"], project["site_dir"]) == (PAGES.name, SITE.name)
    assert project["nav"] == nav()


def test_diagrams_become_pictures(tmp_path: Path) -> None:
    """Each page links to what was drawn of its source, and other blocks stay."""
    page = tmp_path / "adr" / "page.md"
    page.parent.mkdir()
    page.write_text("```mermaid\nflowchart LR\n```\n\n```sh\ntrue\n```\n")
    assert drawn(tmp_path, lambda source: f"<svg>{source}</svg>") == 1
    (link,) = LINK.findall(page.read_text("utf-8"))
    assert (page.parent / link).read_text("utf-8") == "<svg>flowchart LR\n</svg>"
    assert page.read_text("utf-8").endswith("```sh\ntrue\n```\n")


def test_that_what_pages_load_from_other_hosts_is_found(tmp_path: Path) -> None:
    """Scripts, styles and pictures; a link that a reader follows is none of them."""
    (tmp_path / "a.html").write_text(
        '<link href="//fonts.example/x.css"><script src="https://cdn.example/x.js"></script>'
        '<script src="assets/x.js"></script><a href="https://example.com">away</a>'
    )
    assert loaded_from_elsewhere(tmp_path) == [
        "a.html: //fonts.example/x.css",
        "a.html: https://cdn.example/x.js",
    ]
