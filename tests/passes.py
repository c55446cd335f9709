"""Run the tests twice: first those that share the machine, then one by one those marked `alone`.

    python -m tests.passes -n 2 -k limit

The arguments are pytest's, and given to both passes. The first pass that fails is the last; that
one of the two has no test of a selection is no failure. With `--cov` coverage is measured, of both
together; it is judged only where nothing was selected. It doubles what tests take (Python 3.11).
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

#: Runs pytest with these arguments; its exit status.
Run = Callable[..., int]

#: pytest's own exit status for a selection without tests.
NO_TESTS: Final = 5
SHARED: Final = "not long and not alone"
ALONE: Final = "not long and alone"
ALONE_MARK: Final = "pytest.mark.alone"
COVERAGE: Final = "--cov"
#: Without a selection of their own; what else begins with no dash is a path.
_SELECTING: Final = ("-k", "-m", "--lf", "--last-failed", "--deselect", "--ignore", "tests")


def main(arguments: Sequence[str], run: Run) -> int:
    """The exit status of both passes."""
    if any(each.startswith("-m") for each in arguments):  # the caller's own choice of marks
        return run(*arguments, *_judged(arguments))
    first = run(*arguments, "-m", SHARED, *_measured(arguments))
    if first not in {0, NO_TESTS}:
        return first
    # Last, and so instead of what the caller says for the first pass.
    places = () if any(map(_is_path, arguments)) else files_of_those_alone()
    second = run(*arguments, *places, "-m", ALONE, "-n", "0", *_judged(arguments, "--cov-append"))
    return first if second == NO_TESTS else second


def files_of_those_alone() -> list[str]:
    """Where some are marked `alone`: to read all others takes as long as to run these."""
    found = sorted(Path("tests").rglob("test_*.py"))
    return [str(path) for path in found if ALONE_MARK in path.read_text(encoding="utf-8")]


def pytest_of(*arguments: str) -> int:
    """The exit status of pytest; it is told of a TERM, and a Ctrl-C reaches it by itself."""
    with subprocess.Popen([sys.executable, "-m", "pytest", *arguments]) as pytest:

        def end(_number: int, _frame: FrameType | None) -> None:
            pytest.terminate()

        before = signal.signal(signal.SIGTERM, end), signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = pytest.wait()
        finally:
            signal.signal(signal.SIGTERM, before[0])
            signal.signal(signal.SIGINT, before[1])
    return status if status >= 0 else 128 - status


def _is_path(argument: str) -> bool:
    return Path(argument.partition("::")[0]).exists()


def _measured(arguments: Sequence[str]) -> list[str]:
    return ["--cov-report=", "--cov-fail-under=0"] if COVERAGE in arguments else []


def _judged(arguments: Sequence[str], *more: str) -> list[str]:
    """Of a part of the tests there is no saying how much they should cover."""
    if COVERAGE not in arguments:
        return []
    some = any(each.startswith(_SELECTING) for each in arguments)
    return ["--cov-report=term", *more, *(["--cov-fail-under=0"] if some else [])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], pytest_of))
