"""Pairs of prompts that somebody has labelled as the same or not: a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SPLITS: Final = Path(__file__).parent / "pairs"


class BadLine(Exception):
    """A line is no labelled pair; says which and why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two prompts; `same` when the answer to each is right and whole for the other."""

    a: str
    b: str
    same: bool
    category: str = ""
    language: str = ""


def of_split(split: str) -> list[Pair]:
    """All pairs of a split that ships with the project: tune or report."""
    return [pair for path in sorted((SPLITS / split).glob("*.jsonl")) for pair in of_file(path)]


def of_file(path: Path) -> Iterator[Pair]:
    """The pairs of a file. Empty lines are skipped; raises BadLine and OSError."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _pair(line, f"{path}:{number}")


def _pair(line: str, where: str) -> Pair:
    try:
        made: Any = json.loads(line)
    except ValueError as error:
        raise BadLine(f"{where}: not JSON: {error}") from error
    if not isinstance(made, dict):
        raise BadLine(f"{where}: not an object with a, b and same")
    for name, wanted in (("a", str), ("b", str), ("same", bool)):
        if not isinstance(made.get(name), wanted):
            kind = "a text" if wanted is str else "true or false"
            raise BadLine(f"{where}: {name} must be {kind}")
    labels = (str(made.get(name, "")) for name in ("category", "language"))
    return Pair(made["a"], made["b"], made["same"], *labels)
