"""The account script, with values in and values out; its contract is on top of `account.lua`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.adapters.redis.batch import Batch, Script
from app.domain.quota.calendar import CalendarWindow, hours_of
from app.domain.quota.limit import Limit
from app.domain.quota.reservation import Ask, Charge, Refusal, Reservation

#: Tenants whose accounts some worker found without a generation.
UNSEEDED: Final = "spillgate:unseeded"
#: A hold ends by itself after so long without an extension.
HOLD_TTL_S: Final = 90.0
#: For how long an account knows what was settled, as in `account.lua`.
REMEMBERED_S: Final = 172_800.0
#: By how much a worker's clock may be ahead of the server's where rows are looked for.
SKEW_S: Final = 60.0


class Unseeded(Exception):  # a state, not an error to report
    """The account has no generation: it is new, or Redis was flushed."""


class Skewed(Exception):  # a state, not an error to report
    """The server's time, in `now` (Unix seconds), is in none of the calendar windows asked with."""

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.now = now


@dataclass(frozen=True, slots=True)
class Settlement:
    """A reservation to be settled, as it waits to be sent; without one, a row alone."""

    reservation: Reservation | None
    charge: Charge
    #: When a row alone was first sent, if no answer came (Unix seconds): it may be there already.
    sent: float | None = None


@dataclass(frozen=True, slots=True)
class SeedTotals:
    """Committed totals of one calendar window; `fields` are `MEASURE:SCOPE`."""

    period: str  # hour | day | month
    window: CalendarWindow
    fields: Mapping[str, int]


class AccountScript:
    """One method for each operation. All raise StoreUnavailable."""

    def __init__(self, batch: Batch, *, ttl_s: float = HOLD_TTL_S) -> None:
        """`ttl_s` seconds is how long a hold lives without `extend`."""
        self._batch = batch
        self._script = Script("account.lua")
        self._ttl_ms = int(ttl_s * 1000)

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        """Take it in every scope, or nothing. Raises Unseeded, Skewed."""
        answer = await self._run(
            ask.tenant,
            "reserve",
            {
                "id": ask.id,
                "scopes": ask.scopes,
                "requests": ask.amounts.requests,
                "tokens": ask.amounts.tokens,
                "nano_usd": ask.amounts.nano_usd,
                "days": ask.days,
                "months": ask.months,
                "limits": ask.limits,
                "ttl_ms": self._ttl_ms,
                "draft": ask.draft.decode(),
                "aside": ask.aside,
            },
        )
        if answer["outcome"] == "refused":
            return _refusal(ask, answer["refused"])
        return _reservation(ask, answer)

    async def extend(self, tenant: str, ids: Sequence[str]) -> frozenset[str]:
        """Keep holds alive; those that are."""
        answer = await self._run(tenant, "extend", {"ids": ids, "ttl_ms": self._ttl_ms})
        return frozenset(answer["alive"] or ())

    async def settle(self, tenant: str, settlements: Iterable[Settlement]) -> list[str]:
        """Charge each once: settled, late, adopted, duplicate or recorded. Raises Unseeded."""
        items = [_item(each) for each in settlements]
        answer = await self._run(tenant, "settle", {"items": items})
        return list(answer["outcomes"])

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
        asked = {"limits": limits, "days": days, "months": months}
        answer = await self._run(tenant, "read", asked)
        return answer["generation"], tuple(int(used) for used in answer["used"] or ())

    async def _run(
        self,
        tenant: str,
        operation: str,
        given: Mapping[str, object],
    ) -> dict[str, Any]:
        packed = msgspec.json.encode(given)
        raw = await self._batch.script(self._script, account_key(tenant), operation, packed)
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


def _reservation(ask: Ask, answer: Mapping[str, Any]) -> Reservation:
    day = next(day for day in ask.days if day.name == answer["day"])
    return Reservation(
        ask=ask,
        generation=answer["generation"],
        day=day,
        month=next(month for month in ask.months if month.name == answer["month"]),
        left=tuple(int(left) for left in answer["left"] or ()),
        over=tuple(int(index) for index in answer["over"] or ()),
        hour=next(hour for hour in hours_of(day) if hour.name == answer["hour"]),
    )


def _refusal(ask: Ask, refused: Mapping[str, Any]) -> Refusal:
    limit = ask.limits[int(refused["limit"])]
    wait_ms = refused["wait_ms"]
    return Refusal(
        limit=limit,
        used=int(refused["used"]),
        asked=ask.amounts.of(limit.measure),
        wait_s=None if wait_ms < 0 else max(wait_ms, 1) / 1000,
    )


def _item(settlement: Settlement) -> dict[str, object]:
    reservation, charge = settlement.reservation, settlement.charge
    if reservation is None:
        item: dict[str, object] = {"row": charge.row.decode()}
        if settlement.sent is not None:
            item["sent"] = int(max(0.0, settlement.sent - SKEW_S) * 1000)
        return item
    hour = {} if reservation.hour is None else {"hour": reservation.hour}
    return {
        "id": reservation.ask.id,
        "generation": reservation.generation,
        "actual": charge.actual,
        "row": charge.row.decode(),
        "scopes": reservation.scopes_charged(spilled=charge.spilled),
        "day": reservation.day,
        "month": reservation.month,
        **hour,
    }
