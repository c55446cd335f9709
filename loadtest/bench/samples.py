"""Samples of a profiler, dealt to the modules that were at work.

py-spy's raw format is one line for each stack: frames from the outermost to the innermost,
separated by semicolons, each `function (file:line)`; then how often it was seen.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

_FRAME: Final = re.compile(r".* \((?P<file>.+?)(?::\d+)?\)$")
#: What the event loop calls is below these; who started the loop is not at work.
_LOOPS: Final = ("/asyncio/runners.py", "/uvloop/__init__.py")
_INSTALLED: Final = re.compile(r".*/site-packages/(?P<package>[^/]+)")
_STANDARD: Final = re.compile(r".*/lib/python3\.\d+/(?P<module>[^/]+)")


def shares(lines: Iterable[str], checkout: Path) -> list[tuple[str, float]]:
    """By module, which part of the samples is its own; most first."""
    counted: Counter[str] = Counter()
    for line in lines:
        stack, _, times = line.rpartition(" ")
        counted[at_work(stack.split(";"), checkout)] += int(times)
    total = counted.total() or 1
    return [(name, times / total) for name, times in counted.most_common()]


def at_work(frames: Sequence[str], checkout: Path) -> str:
    """The innermost module of ours below the event loop, or the library that runs without one."""
    files = [found["file"] for frame in frames if (found := _FRAME.match(frame))]
    looping = [at for at, file in enumerate(files) if file.endswith(_LOOPS)]
    below = files[looping[-1] + 1 :] if looping else files
    ours = f"{checkout}/app/"
    for file in reversed(below):
        if file.startswith(ours):
            return file.removeprefix(f"{checkout}/").removesuffix(".py").replace("/", ".")
    return f"({_library(below[-1])})" if below else "(the event loop)"


def _library(file: str) -> str:
    found = _INSTALLED.match(file) or _STANDARD.match(file)
    return found[1].removesuffix(".py") if found else Path(file).name
