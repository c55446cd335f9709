"""The account script, with values in and values out; its contract is on top of `account.lua`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from app.adapters.redis.account_lines import Lines
from app.adapters.redis.account_packing import (
    Settlement,
    Unseeded,
    packed_items,
    packed_limit,
    packed_windows,
)
from app.adapters.redis.batch import Batch, Script
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import Limit
from app.domain.quota.reservation import Ask, Refusal, Reservation

__all__ = ["AccountScript", "SeedTotals", "Settlement", "Skewed", "Unseeded", "account_key"]

#: Tenants whose accounts some worker found without a generation.
UNSEEDED: Final = "spillgate:unseeded"
#: A hold ends by itself after so long without an extension.
HOLD_TTL_S: Final = 90.0
#: For how long an account knows what was settled, as in `account.lua`.
REMEMBERED_S: Final = 172_800.0


class Skewed(Exception):  # a state, not an error to report
    """The server's time, in `now` (Unix seconds), is in none of the calendar windows asked with."""

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.now = now


class SeedTotals(msgspec.Struct, frozen=True):
    """Committed totals of one calendar window; `fields` are `MEASURE:SCOPE`."""

    period: str  # hour | day | month
    window: CalendarWindow
    fields: Mapping[str, int]


class AccountScript:
    """One method for each operation. All raise StoreUnavailable."""

    def __init__(self, batch: Batch, *, ttl_s: float = HOLD_TTL_S) -> None:
        """`ttl_s` seconds is how long a hold lives without `extend`."""
        self._batch = batch
        self._reserve = Script("account.lua", "account_limits.lua", "account_reserve.lua")
        self._settle = Script("account.lua", "account_settle.lua")
        self._seldom = Script("account.lua", "account_limits.lua", "account_seldom.lua")
        self._ttl_ms = int(ttl_s * 1000)
        self._lines = Lines(self._reserved, self._ttl_ms)

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        """Take it in every scope, or nothing. Raises Unseeded, Skewed."""
        answer = await self._lines.ask(ask)
        if isinstance(answer, float):
            raise Skewed(answer)
        return answer

    async def _reserved(self, tenant: str, packed: Sequence[bytes]) -> bytes:
        raw: bytes = await self._batch.script(self._reserve, account_key(tenant), *packed)
        return raw

    async def extend(self, tenant: str, ids: Sequence[str]) -> frozenset[str]:
        """Keep holds alive; those that are."""
        answer = await self._run(tenant, "extend", {"ids": ids, "ttl_ms": self._ttl_ms})
        return frozenset(answer["alive"] or ())

    async def settle(self, tenant: str, settlements: Sequence[Settlement]) -> list[str]:
        """Charge each once: settled, late, adopted, duplicate or recorded. Raises Unseeded."""
        packed = packed_items(settlements)
        raw = await self._batch.script(self._settle, account_key(tenant), *packed)
        outcomes: str = raw.decode()
        if outcomes == "unseeded":
            raise Unseeded
        return outcomes.split(" ")

    async def seed(
        self,
        tenant: str,
        totals: Iterable[SeedTotals],
        *,
        generation: str,
        replaces: str = "",
        charged: Sequence[str] = (),
    ) -> str:
        """Begin a generation unless another than `replaces` is in force; the one that is then.

        The ids in `charged` are in the totals: their settlements are not charged again.
        """
        entries = [
            {
                "period": each.period,
                "name": each.window.name,
                "ends": each.window.ends,
                "fields": each.fields,
            }
            for each in totals
        ]
        seeding = {
            "replaces": replaces,
            "generation": generation,
            "totals": entries,
            "charged": charged,
        }
        answer = await self._run(tenant, "seed", seeding)
        return str(answer["generation"])

    async def end(self, tenant: str) -> None:
        """End the generation: nothing is admitted or charged until the account is seeded anew."""
        await self._run(tenant, "end", {})

    async def report_unseeded(self, tenant: str) -> None:
        """Have whoever keeps the archive seed this account."""
        await self._batch.call(("SADD", UNSEEDED, tenant))

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[str, tuple[int, ...]]:
        """The generation (empty: none), and how much of each limit is used. Raises Skewed."""
        asked = {
            "limits": [packed_limit(each) for each in limits],
            "days": packed_windows(days),
            "months": packed_windows(months),
        }
        answer = await self._run(tenant, "read", asked)
        return answer["generation"], tuple(int(used) for used in answer["used"] or ())

    async def _run(
        self,
        tenant: str,
        operation: str,
        given: Mapping[str, object],
    ) -> dict[str, Any]:
        packed = msgspec.json.encode({"operation": operation, **given})
        raw = await self._batch.script(self._seldom, account_key(tenant), packed)
        answer: dict[str, Any] = msgspec.json.decode(raw)
        outcome = answer.get("outcome")
        if outcome == "unseeded":
            raise Unseeded
        if outcome == "skewed":
            raise Skewed(answer["now"] / 1000)
        return answer


def account_key(tenant: str) -> str:
    """The key that all of a tenant's begin with; the braces keep them in one slot of a cluster."""
    return f"spillgate:{{{tenant}}}"
