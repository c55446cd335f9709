"""How many files may be open follows how many connections there may be."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from app.bootstrap.open_files import allow_open_files

SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    """The limit of this process afterwards is what it was."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, HARD))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, HARD))


def test_it_is_raised_to_what_connections_need() -> None:
    """Each has one towards a client, and one towards an upstream."""
    allow_open_files(1000)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (2512, HARD)


def test_it_is_never_lowered() -> None:
    """Whoever allowed more meant it."""
    allow_open_files(8)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1000, HARD)


@pytest.mark.skipif(HARD == resource.RLIM_INFINITY, reason="there is no limit here")
def test_what_is_not_allowed_is_told() -> None:
    """The gateway serves with what it has."""
    with capture_logs() as lines:
        allow_open_files(HARD)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (HARD, HARD)
    (line,) = lines
    assert (line["event"], line["limit"]) == ("few files may be open", HARD)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells how large the table is")
@pytest.mark.parametrize(("connections", "room"), [(1000, 2512), (100_000, 65_536)])
def test_there_is_room_for_them_before_they_come(connections: int, room: int) -> None:
    """A process with threads would stand still whenever the table of open files grows."""
    if room > HARD:
        pytest.skip("so many files may not be open here")
    assert _table(0) < room <= _table(connections) <= 2 * room


def _table(connections: int) -> int:
    """Its size in a new process that allows for so many connections; 0: that does not."""
    done = subprocess.run(  # this Python
        [sys.executable, "-c", _TABLE, str(connections)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


_TABLE = """
import sys
from app.bootstrap.open_files import allow_open_files
connections = int(sys.argv[1])
if connections:
    allow_open_files(connections)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("FDSize:")))
"""
