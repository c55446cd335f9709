"""How many files this process may have open: a connection is one."""

from __future__ import annotations

import fcntl
import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

#: Of each connection: its own, and one to an upstream.
_EACH: Final = 2
#: Whatever else is open: Redis, logs, archives.
_BESIDES: Final = 512
#: The kernel's table holds at most so many from the beginning: half a megabyte of its memory.
_MOST_ROOM: Final = 65_536


def allow_open_files(connections: int) -> None:
    """Raise the soft limit to what so many connections need, as far as the hard one allows.

    Shells and services often begin with 1024. Where that is all there may be, the log says so:
    beyond it new connections are closed at once.
    """
    needed = connections * _EACH + _BESIDES
    allowed = _allowed(needed)
    if allowed < connections + _BESIDES:
        structlog.get_logger().warning(
            "few files may be open", limit=allowed, max_connections=connections
        )
    _make_room(min(needed, allowed, _MOST_ROOM))


def _allowed(needed: int) -> int:
    """What the soft limit allows of it, now that it is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    allowed = needed if hard == resource.RLIM_INFINITY else max(soft, min(needed, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def _make_room(files: int) -> None:
    """Have the kernel's table of open files hold so many now: it never shrinks.

    Linux doubles it when it is full, and a process with threads stands still for that, 10 to 30 ms
    in which readers elsewhere end (`expand_fdtable`, `synchronize_rcu`): just when many come.
    Where that cannot be had, it grows as they come.
    """
    with suppress(OSError), Path(os.devnull).open("rb") as anything:
        os.close(fcntl.fcntl(anything, fcntl.F_DUPFD_CLOEXEC, files - 1))
