"""Which part of a gateway a process is."""

from __future__ import annotations

from typing import Final

import msgspec


class Role(msgspec.Struct, frozen=True):
    """What one process does; of several on one machine each has a part.

    `redis_url` leads to a Redis that another process keeps; None: the configured one, or one of
    its own.
    """

    serves: bool = True  # requests of the data plane
    keeps_archive: bool = True
    redis_url: str | None = None


#: One process, everything in it.
ALONE: Final = Role()
#: The admin plane of several workers.
ADMIN: Final = Role(serves=False)


def worker(redis_url: str | None) -> Role:
    """One of several that serve; the admin process keeps everything else."""
    return Role(keeps_archive=False, redis_url=redis_url)
