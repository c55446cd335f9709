"""What can be wrong with an archive, and how it is told."""

from __future__ import annotations

from pathlib import Path

import msgspec


class ArchiveError(Exception):
    """Base of what is raised here."""


class ArchiveBusy(ArchiveError):
    """Another process writes to this archive."""

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(f"{directory}: another writer has this archive ({owner or 'unknown'})")


class ArchiveDamaged(ArchiveError):
    """A line cannot be trusted; `problem` says which and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class ArchiveClosed(ArchiveError):
    """The archive was closed, or a failed write could not be undone: open it again."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong at a line of a file; lines count from 1."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"
