"""The directory as Redis has it, for who only looks: nothing is written, no worker is announced."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from app.adapters.redis.connection import redis_client
from app.adapters.redis.directory_script import entries_in
from app.domain.directory import Directory
from app.domain.directory_change import directory_of
from app.errors import StoreUnavailable

#: Connecting included; a directory of ten thousand keys is read in a tenth of it.
READ_WITHIN_S: Final = 3.0


async def read_directory(url: str, name: str = "directory") -> Directory | None:
    """All of it; None where there is none yet. Raises StoreUnavailable within READ_WITHIN_S."""
    try:
        async with (
            asyncio.timeout(READ_WITHIN_S),
            redis_client(url, operation_timeout_s=READ_WITHIN_S) as client,
        ):
            found: Any = await client.hgetall(f"spillgate:{{{name}}}:entries")
    except (AuthenticationError, ResponseError) as error:  # or a cluster's node that has it not
        raise StoreUnavailable(f"Redis refused to be read ({type(error).__name__})") from error
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable("Redis was not reachable") from error
    if not found:
        return None
    entries = entries_in(list(found), list(found.values())).values()
    return directory_of([entry for entry in entries if entry is not None], 0)
