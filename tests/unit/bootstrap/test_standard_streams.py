"""What a process has for the standard streams that it was started without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, subprocess, sys
from app.bootstrap.standard_streams import open_closed_streams
open_closed_streams()
open_closed_streams()
number = os.open({told!r}, os.O_WRONLY | os.O_CREAT)
print("out"), print("error", file=sys.stderr), sys.stdout.flush()
child = subprocess.run([sys.executable, "-c", "import os; [os.fstat(n) for n in range(3)]"])
os.write(number, f"{{number > 2}} {{sys.stdin.read()!r}} {{child.returncode}}".encode())
"""


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_closed_leads_nowhere(tmp_path: Path, closed: str) -> None:
    """Files get other numbers, nothing that is printed is in them, and children have all three."""
    told = tmp_path / "told"
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c"]
    done = subprocess.run(
        [*command, SCRIPT.format(told=str(told))],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.read_text() == "True '' 0", done.stderr
    assert done.stdout == ("" if ">&-" in closed.replace("2>&-", "") else "out\n")
    assert done.stderr == ("" if "2>&-" in closed else "error\n")
