"""How far a comparison is: a bar on a terminal, a line for every tenth elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

from app.planner.latency.sample import Ending, Sample

_LINES: Final = 10
Step = Callable[[Sample], None]


@contextmanager
def progress_on(target: IO[str], total: int) -> Iterator[Step]:
    """Call what it yields once for each of `total` requests that ended."""
    if target.isatty():
        with _bar(target, total) as step:
            yield step
    else:
        yield _lines(target, total)


@contextmanager
def _bar(target: IO[str], total: int) -> Iterator[Step]:
    # 70 ms, which other commands do without.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    counted: Counter[Ending] = Counter()
    with Progress(*columns, console=Console(file=target), transient=True) as progress:
        task = progress.add_task("asking", total=total)

        def step(sample: Sample) -> None:
            counted[sample.ending] += 1
            progress.update(task, advance=1, description=_said(counted))

        yield step


def _lines(target: IO[str], total: int) -> Step:
    counted: Counter[Ending] = Counter()

    def step(sample: Sample) -> None:
        counted[sample.ending] += 1
        done = counted.total()
        if done * _LINES // total > (done - 1) * _LINES // total:
            print(f"{done} of {total}: {_said(counted)}", file=target, flush=True)

    return step


def _said(counted: Counter[Ending]) -> str:
    """`12 answered, 3 throttled`."""
    return ", ".join(f"{counted[each]} {each}" for each in Ending if counted[each])
