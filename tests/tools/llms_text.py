"""An index of the documents for language models, in the form of llmstxt.org.

`python -m tests.tools.llms_text` writes docs/llms.txt anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from tests.tools.docs_site import DOCS, README, ROOT, nav, pages

FILE: Final = DOCS / "llms.txt"
#: Sections that one may leave out, by the convention's own name for them.
_OPTIONAL: Final = "How it is built"
_NO_PARAGRAPH: Final = re.compile(r"[#|>!<-]|\d+\. |Status:")
_LONGEST: Final = 200
#: What has no more is a remark.
_FEWEST_WORDS: Final = 3


def text() -> str:
    """The whole file: the README first, then the pages in the site's order."""
    readme = (ROOT / "README.md").read_text("utf-8")
    summary = _plain(next(_paragraphs(readme)))
    lines = ["# Spillgate", "", f"> {summary}", "", "- [README](../README.md): how to start"]
    for entry in nav():
        for title, below in entry.items():
            if isinstance(below, list):
                lines += ["", f"## {'Optional' if title == _OPTIONAL else title}", ""]
                lines += _section(below)
    return "\n".join(lines) + "\n"


def _section(entries: list[dict[str, Any]]) -> Iterator[str]:
    for path in pages(entries):
        if path == README:
            continue
        page = (DOCS / path).read_text("utf-8")
        title = _plain(page.splitlines()[0].lstrip("# "))
        yield f"- [{title}]({path}): {_headings(page) or _gist(page)}"


def _headings(page: str) -> str:
    """Of a page that begins with one, all of them; a decision's are always the same."""
    found = re.findall(r"^## (.+)$", page, re.MULTILINE)
    begins = page.split("\n", 1)[1].lstrip().startswith("## ")
    return "; ".join(found) if begins and found[0] != "Problem" else ""


def _gist(page: str) -> str:
    """The first sentence of a page's first paragraph, and the second where both are short."""
    paragraph = re.sub(r"^\*\*\w+\.\*\* ", "", next(_paragraphs(page)))
    first, *others = re.split(r"(?<=[.:?]) (?=[^a-z])", _plain(paragraph))
    second = others[0] if others else ""
    says = len(second.split()) > _FEWEST_WORDS and not second.endswith(":")
    whole = second.count("`") % 2 == 0 and len(first) + len(second) < _LONGEST
    return (f"{first} {second}" if says and whole else first).rstrip(".:")


def _paragraphs(page: str) -> Iterator[str]:
    without_code = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    for each in re.split(r"\n\s*\n", without_code):
        if each.strip() and not _NO_PARAGRAPH.match(each.strip()):
            yield " ".join(each.split())


def _plain(markdown: str) -> str:
    """Text without links and emphasis; code stays marked."""
    unlinked = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return unlinked.replace("**", "")


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
