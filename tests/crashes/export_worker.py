"""Exports an archive's ledger to files, and kills itself before the n-th file is opened or renamed.

    python -m tests.crashes.export_worker ARCHIVE DIRECTORY LAST_LINE NOW POINT

With point 0 it lives, and prints how many points there were.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from app.adapters.usage_export.files import FileExporter, FileOptions


class Killer:
    """An audit hook; files that are merely read are no points."""

    def __init__(self, point: int) -> None:
        self.points = 0
        self._point = point

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Count, and kill."""
        if event == "os.rename" or (event == "open" and str(arguments[0]).endswith(".partial")):
            self.points += 1
            if self.points == self._point:
                os.kill(os.getpid(), signal.SIGKILL)


def main(archive: str, directory: str, last_line: str, now: str, point: str) -> None:
    """Export all that is due."""
    exporter = FileExporter(Path(archive), FileOptions(Path(directory)))
    killer = Killer(int(point))
    sys.addaudithook(killer)
    while exporter.step(int(last_line), float(now)):
        pass
    print(killer.points)  # noqa: T201  # that is how it tells


if __name__ == "__main__":
    main(*sys.argv[1:])
