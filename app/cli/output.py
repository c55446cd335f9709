"""What admin commands print: a table on a terminal, aligned text in a pipe, or the API's JSON.

A terminal that is too narrow for a table gets a block of lines for each of its rows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # loaded where something is drawn: it takes longer than most commands
    from rich.console import Console, JustifyMethod
    from rich.table import Table

Record = Mapping[str, Any]
_BETWEEN: Final = "  "
#: Characters that a drawn column takes beyond its cells; the last one takes one less.
_AROUND: Final = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and what it shows of a record. Numbers stand to the right."""

    title: str
    shown: Callable[[Record], str]
    right: bool = False


class Output:
    """Where results go; what is said beside them goes to the other stream."""

    def __init__(
        self, target: IO[str], notes: IO[str], *, width: int | None = None, colour: bool = True
    ) -> None:
        """`width` in characters is that of the terminal if it is not given."""
        self._target = target
        self._notes = notes
        self._width = width
        self._colour = colour

    def table(self, columns: Sequence[Column], records: Iterable[Record]) -> None:
        """Records as rows."""
        rows = [[column.shown(record) for column in columns] for record in records]
        if not self._target.isatty():
            self.lines(plain_table(columns, rows))
            return
        console = self._console()
        widths = fitted(columns, rows, console.width + 1 - _AROUND * len(columns))
        if widths is None:
            self.lines(blocks(columns, rows))
        else:
            console.print(_rich_table(columns, rows, widths))

    def json(self, answer: object) -> None:
        """The API's answer."""
        print(json.dumps(answer, indent=2), file=self._target)

    def json_list(self, pages: Iterable[Sequence[object]]) -> None:
        """All pages of a list as the API would answer them in one."""
        entries = chain.from_iterable(pages)
        between = "\n"
        print('{"data": [', end="", file=self._target)
        for entry in entries:
            print(between, json.dumps(entry), sep="", end="", file=self._target)
            between = ",\n"
        print('\n], "next": null}', file=self._target)

    def lines(self, lines: Iterable[str]) -> None:
        """Lines as they are."""
        for line in lines:
            print(line, file=self._target)

    def note(self, line: str) -> None:
        """Something that is not part of the result."""
        print(line, file=self._notes)

    def _console(self) -> Console:
        from rich.console import Console  # noqa: PLC0415  # as above

        return Console(
            file=self._target,
            width=self._width,
            color_system="auto" if self._colour else None,
            highlight=False,
        )


def standard_output() -> Output:
    """The process's own streams."""
    return Output(sys.stdout, sys.stderr)


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Headings and rows, two spaces between columns, none at the end of a line."""
    lines = [[column.title for column in columns], *rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(columns, line, widths, strict=True)
        padded = (
            cell.rjust(width) if column.right else cell.ljust(width)
            for column, cell, width in cells
        )
        yield _BETWEEN.join(padded).rstrip()


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """How wide columns are that have `room` characters together, the widest one narrowed first.

    No word is broken, nor anything that stands to the right; None where there is no room for that.
    """
    cells = list(zip(*([column.title for column in columns], *rows), strict=True))
    widths = [max(map(len, each)) for each in cells]
    words = [max(len(word) for cell in each for word in cell.split() or [""]) for each in cells]
    least = [
        width if column.right else word
        for column, width, word in zip(columns, widths, words, strict=True)
    ]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        spare = [place for place, width in enumerate(widths) if width > least[place]]
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


def blocks(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each cell behind its heading; an empty line between rows."""
    width = max(len(column.title) for column in columns)
    for number, row in enumerate(rows):
        if number:
            yield ""
        for column, cell in zip(columns, row, strict=True):
            yield f"{column.title:{width}}{_BETWEEN}{cell}".rstrip()


def _rich_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> Table:
    """Cells are texts, in which brackets mean nothing."""
    from rich import box  # noqa: PLC0415  # as above
    from rich.table import Table  # noqa: PLC0415  # as above
    from rich.text import Text  # noqa: PLC0415  # as above

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.title, justify=justify, width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
