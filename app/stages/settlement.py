"""Every request ends in exactly one receipt in the ledger, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from app.observation import Observation
from app.ports import Ledger, Reply


class Settlement:
    """The scope in which a request runs."""

    def __init__(self, ledger: Ledger, *, limit_s: float = 2.0) -> None:
        """`ledger` keeps the receipts, each within `limit_s` seconds or not at all."""
        self._ledger = ledger
        self._limit_s = limit_s

    @asynccontextmanager
    async def settled(self, observation: Observation, reply: Reply) -> AsyncIterator[None]:
        """Conclude and settle on the way out, a cancellation included."""
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            observation.conclude(reply.status, error)
            await _shielded(self._ledger.append(observation.receipt), self._limit_s)


async def _shielded(work: Coroutine[object, object, None], limit_s: float) -> None:
    """Run to the end or to the limit, whoever cancels us meanwhile; then let them."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            done, _ = await asyncio.wait({task}, timeout=limit_s)
        except asyncio.CancelledError as error:
            cancelled = error
            continue
        if not done:
            task.cancel()
            break
    if cancelled is not None:
        raise cancelled
