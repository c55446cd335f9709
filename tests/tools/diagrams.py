"""Mermaid's diagrams as pictures, so that the site needs no script from elsewhere.

`python -m tests.tools.diagrams` draws those of build/docs-pages; it needs `mmdr`, of which the
environment of `make docs-site` has a copy.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.tools.docs_site import PAGES

_BLOCK: Final = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PLACE: Final = Path("pictures") / "diagrams"

#: A diagram's source as SVG. Raises ValueError where it is none.
Draw = Callable[[str], str]


def drawn(pages: Path, draw: Draw) -> int:
    """Put a picture in the place of each diagram below a directory; how many there were."""
    count = 0
    for page in sorted(pages.rglob("*.md")):
        text = page.read_text("utf-8")
        pictures = {source: _picture(pages, source, draw) for source in _BLOCK.findall(text)}
        if pictures:
            page.write_text(_replaced(text, page, pictures), "utf-8")
        count += len(pictures)
    return count


def _picture(pages: Path, source: str, draw: Draw) -> Path:
    name = hashlib.sha256(source.encode()).hexdigest()[:12]
    path = pages / _PLACE / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draw(source), "utf-8")
    return path


def _replaced(text: str, page: Path, pictures: dict[str, Path]) -> str:
    def link(found: re.Match[str]) -> str:
        return f"![Diagram]({os.path.relpath(pictures[found[1]], page.parent)})"

    return _BLOCK.sub(link, text)


def _draw(source: str) -> str:
    # Of another environment than the one that looks at this file.
    svg: str = import_module("mmdr").render(source).svg()
    return svg.replace('style="', 'style="background:#fff;', 1)  # its lines are dark


if __name__ == "__main__":
    print(f"{drawn(PAGES, _draw)} diagrams")  # noqa: T201  # a program of its own
