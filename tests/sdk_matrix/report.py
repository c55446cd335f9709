"""The matrix as a table: operations down, SDKs across."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from tests.sdk_matrix.compare import DECLARED, Cell, unused

_MARKED: Final = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


def table(cells: Sequence[Cell]) -> str:
    """Markdown. A cell counts the comparisons that stand behind it: class, mode and upstream."""
    by_place: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        by_place[cell.operation, _column(cell)].append(cell)
    columns = list(dict.fromkeys(_column(cell) for cell in cells))
    lines = [_row("operation", columns), _row("---", ["---"] * len(columns))]
    for operation in dict.fromkeys(cell.operation for cell in cells):
        shown = [_summary(by_place[operation, column]) for column in columns]
        lines.append(_row(f"`{operation}`", shown))
    notes = [f"- {_sign(each.reason)} {each.reason}" for each in DECLARED]
    return "\n".join([*lines, "", *notes]) + "\n"


def failures(cells: Sequence[Cell]) -> list[str]:
    """One line for each difference, and for each declared one that was not there."""
    found = [f"DIFFERENT {cell.title}: {cell.difference}" for cell in cells if cell.difference]
    return found + [f"NOT NEEDED among the declared differences: {each}" for each in unused(cells)]


def with_results(page: str, cells: Sequence[Cell]) -> str:
    """The page with the table between its two markers made anew."""
    if not _MARKED.search(page):
        message = "the page has no place for the results"
        raise ValueError(message)
    return _MARKED.sub(lambda found: f"{found[1]}\n{table(cells)}\n{found[2]}", page)


def _column(cell: Cell) -> str:
    return f"{cell.sdk} {cell.client}"


def _summary(cells: Sequence[Cell]) -> str:
    """`ok` with the number of comparisons, or how many of them differed; a dash for none."""
    different = sum(cell.difference is not None for cell in cells)
    if different:
        return f"DIFFERENT {different}/{len(cells)}"
    signs = sorted({_sign(reason) for cell in cells for reason in cell.declared})
    return " ".join([f"ok {len(cells)}", *signs]) if cells else "-"


def _sign(reason: str) -> str:
    """The footnote of a declared difference."""
    return f"[{[each.reason for each in DECLARED].index(reason) + 1}]"


def _row(first: str, rest: Iterable[str]) -> str:
    return f"| {' | '.join([first, *rest])} |"
