"""How many files this process may have open: a connection is one."""

from __future__ import annotations

import resource
from typing import Final

import structlog

#: Of each connection: its own, and one to an upstream.
_EACH: Final = 2
#: Whatever else is open: Redis, logs, archives.
_BESIDES: Final = 512


def allow_open_files(connections: int) -> None:
    """Raise the soft limit to what so many connections need, as far as the hard one allows.

    Shells and services often begin with 1024. Where that is all there may be, the log says so:
    new connections then wait until others end.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections * _EACH + _BESIDES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    if allowed < connections + _BESIDES:
        structlog.get_logger().warning(
            "few files may be open", limit=allowed, max_connections=connections
        )
