"""A mistake in the configuration and where it stands."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """One mistake; never holds a secret. Problems sort by their place.

    `line` and `column` count from 1 and are 0 for what stands in no file: then `file` is
    `environment` and `path` the variable's name.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}"


class ConfigProblems(Exception):
    """Every mistake found in a configuration, sorted by place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
