"""The fenced blocks of the project's pages, and what each page says of running them.

A comment just before a block, which no reader sees, says what is not to be done as usual:

- ``<!-- not run: needs Azure -->``: why it is not run, of `REASONS`; several are joined by "and";
- ``<!-- output -->``: what the block before it prints; compared with what it printed;
- ``<!-- output: other values -->``: the same with other data; headings of tables are compared;
- ``<!-- printed by tests/PATH -->``: a test of its own compares it with what is printed;
- ``<!-- file: NAME -->``: the page has its reader save it under that name;
- ``<!-- run by: make docs-sdks -->``: run with packages that this project does not install.

A shell block may say "not run" in its own first line instead: ``# not run: needs Docker``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).parents[2]
#: Why a block is not run. "Another program" is whoever reads that configuration.
REASONS: Final = frozenset(
    {
        "Azure",
        "Docker",
        "Kubernetes",
        "another language",
        "another machine",
        "another program",
        "output",
        "takes minutes",
    }
)
#: Remarks besides "not run".
OUTPUT: Final = "output"
HEADINGS: Final = "output: other values"
SDKS: Final = "run by: make docs-sdks"

_COMMENT: Final = re.compile(r"\s*<!--\s*(.*?)\s*-->\s*", re.DOTALL)
_NOT_RUN: Final = re.compile(r"(?:# )?not run: (.+)")
_PARSER: Final = MarkdownIt("commonmark")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is that of its opening fence, from 1."""

    page: str
    line: int
    language: str
    text: str
    remark: str

    @property
    def place(self) -> str:
        """Where it is, as editors and terminals link it."""
        return f"{self.page}:{self.line}"

    @property
    def reasons(self) -> tuple[str, ...] | None:
        """Why it is not run; None where the page does not say that it is not."""
        first = self.text.split("\n", 1)[0] if self.language in {"sh", "bash"} else ""
        said = _NOT_RUN.fullmatch(self.remark) or _NOT_RUN.fullmatch(first)
        if said is None:
            return None
        bare = (re.sub(r"^(?:needs )?(?:an? )?", "", each) for each in said[1].split(" and "))
        return tuple("Kubernetes" if each == "cluster" else each for each in bare)

    @property
    def printed_by(self) -> str | None:
        """The test that compares it, from the repository's top."""
        begin = "printed by "
        return self.remark.removeprefix(begin) if self.remark.startswith(begin) else None

    @property
    def file(self) -> str | None:
        """The name under which its reader saves it."""
        return self.remark.removeprefix("file: ") if self.remark.startswith("file: ") else None


def pages() -> list[str]:
    """The README and every page of the documents, from the repository's top."""
    found = sorted(ROOT.glob("docs/**/*.md"))
    return ["README.md", *(str(page.relative_to(ROOT)) for page in found)]


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in its order."""
    return list(blocks_in(page, (ROOT / page).read_text("utf-8")))


def blocks_in(page: str, text: str) -> Iterator[Block]:
    """The blocks of a text; also those by indentation, whose language nobody can tell."""
    before: Token | None = None
    for token in _PARSER.parse(text):
        if token.type in {"fence", "code_block"} and token.map:
            language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
            yield Block(page, token.map[0] + 1, language, token.content, _remark(before))
        before = token


def _remark(before: Token | None) -> str:
    """What the comment before a block says; nothing where there is none."""
    if before is None or before.type != "html_block":
        return ""
    found = _COMMENT.fullmatch(before.content)
    return found[1] if found else ""
