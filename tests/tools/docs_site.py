"""The documents as a site: its pages put together, and what was built looked at.

`python -m tests.tools.docs_site` writes build/docs-pages, which `zensical build` reads;
with `--check` it reads build/docs-site: no page loads anything from elsewhere.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
CONFIG: Final = ROOT / "zensical.toml"
PAGES: Final = ROOT / "build" / "docs-pages"
SITE: Final = ROOT / "build" / "docs-site"

#: Where the README is in the site.
README: Final = "index.md"
#: Pages from the top of the repository, by their place in the site.
_FROM_TOP: Final = {
    "README.md": README,
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
}
_LINK: Final = re.compile(
    r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?://|#)([^)#\s]+)(#[^)]*)?\)"
)
_LOADING: Final = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


def nav() -> list[dict[str, Any]]:
    """Titles and pages in the site's order, nested as they are there."""
    entries: list[dict[str, Any]] = tomllib.loads(CONFIG.read_text("utf-8"))["project"]["nav"]
    return entries


def pages(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Paths of the pages below some entries."""
    for entry in entries:
        for below in entry.values():
            yield from pages(below) if isinstance(below, list) else [below]


def configured(target: Path) -> None:
    """Copy the configuration to beside what it names in `build`.

    Zensical keeps a cache in `.cache` beside its configuration and removes all of it, and in the
    repository's `.cache` others keep theirs.
    """
    target.write_text(CONFIG.read_text("utf-8").replace('"build/', '"'), "utf-8")


def put_together(target: Path) -> None:
    """Copy every page and picture; links to sources become their text."""
    shutil.rmtree(target, ignore_errors=True)
    for file in sorted(each for each in DOCS.rglob("*") if each.is_file()):
        _copy(file, target / file.relative_to(DOCS))
    for name, place in _FROM_TOP.items():
        _copy(ROOT / name, target / place)


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix != ".md":
        shutil.copyfile(file, target)
        return
    target.write_text(_relinked(file), "utf-8")


def _relinked(page: Path) -> str:
    """A page whose links lead to where their pages are in the site."""
    depth = "../" * (len(page.relative_to(DOCS).parts) - 1) if page.is_relative_to(DOCS) else ""

    def link(found: re.Match[str]) -> str:
        picture, text, path, anchor = found.groups()
        place = _place((page.parent / path).resolve())
        return f"{picture}[{text}]({depth}{place}{anchor or ''})" if place else text

    return _LINK.sub(link, page.read_text("utf-8"))


def _place(file: Path) -> str | None:
    """Where a file is in the site; None for a source."""
    if file.is_relative_to(DOCS) and file.is_file():
        return str(file.relative_to(DOCS))
    return _FROM_TOP.get(str(file.relative_to(ROOT)))


class _Loaded(HTMLParser):
    """What a page has a browser load from another host."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(_LOADING.get(tag, "")) or ""
        if re.match(r"(?:[a-z]+:)?//", address):
            self.foreign.append(address)


def loaded_from_elsewhere(site: Path) -> list[str]:
    """What pages of a site load from other hosts, with the page."""
    found = []
    for page in sorted(site.rglob("*.html")):
        reader = _Loaded()
        reader.feed(page.read_text("utf-8"))
        found += [f"{page.relative_to(site)}: {each}" for each in reader.foreign]
    return found


if __name__ == "__main__":
    if "--check" in sys.argv:
        built = list(SITE.rglob("*.html"))
        sys.exit("\n".join(loaded_from_elsewhere(SITE)) or (None if built else "nothing was built"))
    put_together(PAGES)
    configured(PAGES.with_name(CONFIG.name))
