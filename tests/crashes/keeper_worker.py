"""A process that keeps an archive until it is killed.

    python -m tests.crashes.keeper_worker REDIS_URL DIRECTORY TENANT

It says `keeps` once it does.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.fakes.keepers import settings_of, state_of


async def work(url: str, directory: Path, tenant: str) -> None:
    """As above."""
    async with state_of(settings_of(url, directory, tenant)) as state:
        assert state.kept is not None
        print("keeps", flush=True)  # noqa: T201  # what it was asked for
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
