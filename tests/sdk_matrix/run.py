"""The SDK compatibility matrix: every call through the gateway against the same call without it.

    python tests/sdk_matrix/run.py --versions 1.109.1 2.33.0 2.54.0 latest --node

Exit code 0 when all is the same but for what `compare.DECLARED` says, 1 when something differs.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.sdk_matrix.compare import Cell, cell_of
from tests.sdk_matrix.environments import python_with, run_node, run_python
from tests.sdk_matrix.report import failures, table, with_results
from tests.sdk_matrix.servers import running


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, print the table and each difference."""
    asked = _parser().parse_args(arguments)
    # As an exception, so that both servers are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory() as directory, running(Path(directory)) as servers:
        reports = list(_reports(asked, servers.plan().dumped()))
    cells = [cell for report in reports for cell in cells_of(report)]
    sys.stdout.write(table(cells))
    found = failures(cells)
    for line in found:
        sys.stdout.write(f"{line}\n")
    if asked.json:
        asked.json.write_text(json.dumps(reports, indent=1))
    if asked.page:
        asked.page.write_text(with_results(asked.page.read_text(), cells))
    return int(bool(found))


def cells_of(report: dict[str, Any]) -> list[Cell]:
    """One driver's results, judged."""
    return [cell_of(report["sdk"], result) for result in report["results"]]


def _reports(asked: argparse.Namespace, plan: str) -> Iterator[dict[str, Any]]:
    for version in asked.versions:
        yield json.loads(run_python(python_with(version), plan))
    if asked.node:
        yield json.loads(run_node(plan))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--versions", nargs="*", default=[], help="of openai-python, or latest")
    parser.add_argument("--node", action="store_true", help="the newest SDK of npm, too")
    parser.add_argument("--json", type=Path, help="write the raw results to this file")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
