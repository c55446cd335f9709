"""The links of a page, and the anchors of its headings as GitHub and the site make them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER: Final = MarkdownIt("commonmark", {"html": True}).enable("table")
_ELSEWHERE: Final = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def faults(page: Path) -> Iterator[str]:
    """Each link of a page within the project that leads nowhere, and why."""
    for line, target in _links(page):
        if _ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        place = page.parent / unquote(path) if path else page
        if not place.exists():
            yield f"{page}:{line}: there is no {path}"
        elif anchor and place.suffix == ".md" and anchor not in anchors(place):
            near = ", ".join(sorted(anchors(place)))
            yield f"{page}:{line}: {place.name} has no heading #{anchor}; it has {near}"


def _links(page: Path) -> Iterator[tuple[int, str]]:
    """Where links and pictures lead, with the line that their paragraph begins in."""
    for token in _PARSER.parse(page.read_text("utf-8")):
        line = token.map[0] + 1 if token.map else 0
        for child in token.children or ():
            address = child.attrs.get("href") or child.attrs.get("src")
            if address:
                yield line, str(address)


@cache
def anchors(page: Path) -> frozenset[str]:
    """What follows `#` in links to the headings of a page; repeated ones have a number."""
    tokens = _PARSER.parse(page.read_text("utf-8"))
    headings = [_text(after) for token, after in pairwise(tokens) if token.type == "heading_open"]
    seen: Counter[str] = Counter()
    found = set()
    for heading in headings:
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)


def _text(inline: Token) -> str:
    """A heading's text without its markup."""
    return "".join(each.content for each in inline.children or ())
