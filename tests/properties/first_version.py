"""The account script as it first was, and what called it: to share accounts with the present one.

`first_version.lua` is what was in force before reservations travelled together. It is not changed
any more; both go when no deployed worker can be as old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from app.adapters.redis.account import AccountScript, Settlement, Unseeded, account_key
from app.adapters.redis.batch import Batch, Script
from app.domain.quota.calendar import CalendarWindow, hours_of
from app.domain.quota.limit import Limit
from app.domain.quota.reservation import Ask, Refusal, Reservation

_TEXT: Final = Path(__file__).with_suffix(".lua")
_TTL_MS: Final = 90_000


class _FirstScript(Script):
    """A text of the tests'."""

    def __init__(self) -> None:
        super().__init__()
        self.text = _TEXT.read_text("utf-8")  # type: ignore[misc]  # final elsewhere


class FirstVersion(AccountScript):
    """Reserves, settles, extends and reads as it did."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(batch)
        self._sender = batch
        self._first = _FirstScript()

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        given = {
            "id": ask.id,
            "scopes": ask.scopes,
            "requests": ask.amounts.requests,
            "tokens": ask.amounts.tokens,
            "nano_usd": ask.amounts.nano_usd,
            "days": ask.days,
            "months": ask.months,
            "limits": ask.limits,
            "ttl_ms": _TTL_MS,
            "draft": ask.draft.decode(),
            "aside": ask.aside,
        }
        answer = await self._asked(ask.tenant, "reserve", given)
        if answer["outcome"] == "refused":
            return _refusal(ask, answer["refused"])
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

    async def extend(self, tenant: str, ids: Sequence[str]) -> frozenset[str]:
        answer = await self._asked(tenant, "extend", {"ids": ids, "ttl_ms": _TTL_MS})
        return frozenset(answer["alive"] or ())

    async def settle(self, tenant: str, settlements: Sequence[Settlement]) -> list[str]:
        items = [_item(each) for each in settlements]
        return list((await self._asked(tenant, "settle", {"items": items}))["outcomes"])

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[str, tuple[int, ...]]:
        given = {"limits": limits, "days": days, "months": months}
        answer = await self._asked(tenant, "read", given)
        return answer["generation"], tuple(int(used) for used in answer["used"] or ())

    async def _asked(
        self, tenant: str, operation: str, given: Mapping[str, object]
    ) -> dict[str, Any]:
        packed = msgspec.json.encode(given)
        raw = await self._sender.script(self._first, account_key(tenant), operation, packed)
        answer: dict[str, Any] = msgspec.json.decode(raw)
        if answer.get("outcome") == "unseeded":
            raise Unseeded
        return answer


def _refusal(ask: Ask, refused: Mapping[str, Any]) -> Refusal:
    limit, wait_ms = ask.limits[int(refused["limit"])], refused["wait_ms"]
    wait_s = None if wait_ms < 0 else max(wait_ms, 1) / 1000
    return Refusal(limit, int(refused["used"]), ask.amounts.of(limit.measure), wait_s)


def _item(settlement: Settlement) -> dict[str, object]:
    reservation, charge = settlement.reservation, settlement.charge
    assert reservation is not None
    return {
        "id": reservation.ask.id,
        "generation": reservation.generation,
        "actual": charge.actual,
        "row": charge.row.decode(),
        "scopes": reservation.scopes_charged(spilled=charge.spilled),
        "day": reservation.day,
        "month": reservation.month,
        "hour": reservation.hour,
    }


def _is_of_a_lease(settlement: Settlement) -> bool:
    """A part, or a lease that is given back as a whole: of that there is no row."""
    reservation = settlement.reservation
    return reservation is not None and (reservation.part is not None or reservation.ask.aside)


class InTurns(AccountScript):
    """Workers of both versions, of which now one is asked and now the other.

    The first knows of no leases: it takes none, and settles no parts of them.
    """

    def __init__(self, batch: Batch, *, ttl_s: float) -> None:
        super().__init__(batch, ttl_s=ttl_s)
        self._first = FirstVersion(batch)
        self._asked = 0

    def _is_of_the_first(self) -> bool:
        self._asked += 1
        return self._asked * 40503 % 65536 < 32768  # without a pattern, and the same each time

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        if self._is_of_the_first() and not ask.aside:
            return await self._first.reserve(ask)
        return await super().reserve(ask)

    async def extend(self, tenant: str, ids: Sequence[str]) -> frozenset[str]:
        if self._is_of_the_first():
            return await self._first.extend(tenant, ids)
        return await super().extend(tenant, ids)

    async def settle(self, tenant: str, settlements: Iterable[Settlement]) -> list[str]:
        parts = list(settlements)
        if self._is_of_the_first() and not any(map(_is_of_a_lease, parts)):
            return await self._first.settle(tenant, parts)
        return await super().settle(tenant, parts)

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[str, tuple[int, ...]]:
        if self._is_of_the_first():
            return await self._first.read(tenant, limits, days, months)
        return await super().read(tenant, limits, days, months)
