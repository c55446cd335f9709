"""The directory as Redis has it, for who only looks: nothing is written, no worker is announced."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

from redis.exceptions import AuthenticationError, ResponseError

from app.adapters.redis.directory_script import entries_in
from app.adapters.redis.store import Place, opened_store
from app.domain.identity.directory import Directory
from app.domain.identity.directory_change import directory_of
from app.errors import StoreUnavailable
from app.ports import Clock

#: Connecting included; a directory of ten thousand keys is read in a tenth of it.
READ_WITHIN_S: Final = 3.0


async def read_directory(
    place: Place, clock: Clock, *, name: str = "directory"
) -> Directory | None:
    """All of it; None where there is none yet. Raises StoreUnavailable within READ_WITHIN_S."""
    place = replace(place, patience_s=READ_WITHIN_S)
    try:
        async with asyncio.timeout(READ_WITHIN_S), opened_store(place, clock) as store:
            found: Any = await store.batch.call(("HGETALL", f"spillgate:{{{name}}}:entries"))
    except (StoreUnavailable, TimeoutError) as error:
        said = "refused to be read" if _answered(error) else "was not reachable"
        raise StoreUnavailable(f"Redis {said}") from error
    if not found:
        return None
    entries = entries_in(list(found), list(found.values())).values()
    return directory_of([entry for entry in entries if entry is not None], 0)


def _answered(error: BaseException) -> bool:
    """Whether Redis was there and would not: a password that is wrong or missing, for one."""
    cause = error.__cause__
    if isinstance(cause, AuthenticationError | ResponseError):
        return True
    return cause is not None and _answered(cause)
