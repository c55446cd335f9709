"""What is done with a block: run, read, compared, or left for a reason."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final

from tests.docs.blocks import HEADINGS, OUTPUT, REASONS, ROOT, SDKS, Block


class Treatment(Enum):
    """What becomes of a block."""

    RUN = "run in the page's shell"
    SAVED = "saved as a file for the page's shell"
    READ = "read by whoever reads its format"
    COMPARED = "compared with what the block before it printed"
    ELSEWHERE = "compared by a test of its own"
    SDKS = "run by make docs-sdks"
    LEFT = "left, with a reason"


#: Languages whose blocks are run, and those that are read.
RUN: Final = frozenset({"sh", "bash", "python"})
READ: Final = frozenset({"yaml", "json", "toml", "promql", "mermaid"})

HELP: Final = f"""\
Give the block a language that is run ({", ".join(sorted(RUN))}),
or read ({", ".join(sorted(READ))}),
or say in a comment just before it what it is:
  <!-- output -->                  what the block before it prints
  <!-- output: other values -->    the same, of which headings alone are compared
  <!-- printed by tests/PATH -->   the same, compared by a test of its own
  <!-- file: NAME -->              what the reader saves under that name
  <!-- not run: needs Azure -->    why it is not run, of: {", ".join(sorted(REASONS))}
  <!-- run by: make docs-sdks -->  run with packages that are not installed here"""


class Untreated(Exception):
    """A page does not say what a block is; the text says what its author can do."""


def treatment(block: Block) -> Treatment:
    """What is to be done with it. Raises Untreated."""
    said = _said(block)
    if said is not None:
        return said
    if block.language in RUN:
        return Treatment.RUN
    if block.language in READ:
        return Treatment.READ
    named = block.language or "no language"
    raise Untreated(f"{block.place}: a block of {named} that nothing runs.\n{HELP}")


def _said(block: Block) -> Treatment | None:
    """What its remark says; None where it has none."""
    if (reasons := block.reasons) is not None:
        _known(block, reasons)
        return Treatment.LEFT
    if block.printed_by is not None:
        _compares(block, block.printed_by)
        return Treatment.ELSEWHERE
    if block.file is not None:
        return Treatment.SAVED
    return _REMARKS.get(block.remark)


_REMARKS: Final = {
    OUTPUT: Treatment.COMPARED,
    HEADINGS: Treatment.COMPARED,
    SDKS: Treatment.SDKS,
}


def _compares(block: Block, test: str) -> None:
    """The test is there, and reads this page."""
    path = ROOT / test
    if not path.is_file() or Path(block.page).name not in path.read_text("utf-8"):
        raise Untreated(f"{block.place}: no test {test} that reads this page.\n{HELP}")


def _known(block: Block, reasons: tuple[str, ...]) -> None:
    unknown = [each for each in reasons if each not in REASONS]
    if unknown:
        raise Untreated(f"{block.place}: not a reason: {', '.join(unknown)}.\n{HELP}")
