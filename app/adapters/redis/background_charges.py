"""What responses in the background were charged, kept for all replicas until usage is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from app.adapters.aside import Aside, aside
from app.adapters.redis.batch import Batch, NotSent
from app.adapters.redis.response_owners import KEPT_S, response_key
from app.domain.ledger.background_charge import BackgroundCharge
from app.errors import StoreUnavailable

#: Under way at a time: each is one command.
_MOST: Final = 1000
_LINGER_S: Final = 1.0
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(BackgroundCharge)


class RedisBackgroundCharges:
    """Charges in Redis, taken out in one step; open within `background_charges`.

    `kept_total`, `taken_total` and `lost_total` count them. Lost are those that Redis did not take,
    and those that it may have given without our hearing of it.
    """

    def __init__(self, batch: Batch, works: Aside) -> None:
        """`works` has done what nobody waits for."""
        self._batch = batch
        self._works = works
        self.kept_total = 0
        self.taken_total = 0
        self.lost_total = 0

    def keep(self, tenant: str, response_id: str, charge: BackgroundCharge) -> None:
        """Keep it for 30 days."""
        key, value = _key(tenant, response_id), _ENCODER.encode(charge)

        async def keep() -> None:
            try:
                await self._batch.call(("SET", key, value, "EX", KEPT_S))
            except StoreUnavailable:
                self.lost_total += 1
            else:
                self.kept_total += 1

        self.lost_total += not self._works.begin(keep)

    def take(
        self, tenant: str, response_id: str, taker: Callable[[BackgroundCharge], None]
    ) -> None:
        """Take it out and have it given to `taker`."""
        key = _key(tenant, response_id)

        async def take() -> None:
            try:
                found = await self._batch.call(("GETDEL", key))
                charge = None if found is None else _DECODER.decode(found)
            except NotSent:
                return  # who looks again finds it
            except (StoreUnavailable, msgspec.MsgspecError):
                self.lost_total += 1
                return
            if charge is not None:
                self.taken_total += 1
                taker(charge)

        self._works.begin(take)


@asynccontextmanager
async def background_charges(batch: Batch) -> AsyncIterator[RedisBackgroundCharges]:
    """Charges behind `batch`; at its end, what is under way has a second to be done."""
    async with aside(_MOST) as works:
        yield RedisBackgroundCharges(batch, works)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await works.idle()


def _key(tenant: str, response_id: str) -> str:
    return f"{response_key(tenant, response_id)}:charge"
