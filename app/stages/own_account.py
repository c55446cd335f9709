"""What a tenant has used, what is left of its limits, and its caches, told to its own key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from app.domain.cache.policy import CachePolicy
from app.domain.call.request import Operation
from app.domain.identity.tenant import Principal
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import (
    NANO,
    Kind,
    Limit,
    LimitName,
    LimitRule,
    Measure,
    limit_of,
    limits_on_key,
)
from app.ports import Accounts, Clock, Reply

OPERATIONS = frozenset({Operation.OWN_ACCOUNT})

#: Totals that are told whether they are limited or not.
_TOTALS: Final = tuple(
    limit_of(LimitRule(name, 0), 0.0)
    for name in LimitName
    if limit_of(LimitRule(name, 0), 0.0).kind in {Kind.DAY, Kind.MONTH}
)
_UNITS: Final = {
    Measure.REQUESTS: "requests",
    Measure.TOKENS: "tokens",
    Measure.NANO_USD: "usd",
}


class OwnAccount:
    """What `GET /v1/spillgate/me` says."""

    def __init__(
        self,
        accounts: Accounts,
        clock: Clock,
        caches: Callable[[Principal], Mapping[str, CachePolicy]] = lambda _: {},
    ) -> None:
        """`caches` are the policies in force for whoever asks, by model."""
        self._accounts = accounts
        self._clock = clock
        self._caches = caches

    async def answer(self, principal: Principal, reply: Reply) -> None:
        """Send it. Raises StoreUnavailable."""
        tenant, now = principal.tenant, self._clock.unix()
        limits = limits_on_key(tenant.limits, principal.key_id, now)
        limits += tenant.routing.spill_limits
        days, months = days_around(now, tenant.zone), months_around(now, tenant.zone)
        used = await self._accounts.read(tenant.name, (*limits, *_TOTALS), days, months)
        said = {
            "object": "spillgate.account",
            "tenant": tenant.name,
            "key_id": principal.key_id,
            "time_zone": str(tenant.zone),
            "limits": [_limit(limit, each) for limit, each in zip(limits, used, strict=False)],
            "used": _totals(used[len(limits) :]),
            "caches": {name: _cache(each) for name, each in self._caches(principal).items()},
        }
        body = msgspec.json.encode(said)
        await reply.start(
            200, {"content-type": "application/json", "content-length": str(len(body))}
        )
        await reply.send(body)
        await reply.finish()


def _limit(limit: Limit, used: int) -> dict[str, object]:
    return {
        "name": limit.name.value,
        "scope": limit.scope,
        "mode": limit.mode.value,
        "unit": _UNITS[limit.measure],
        "limit": _amount(limit.amount, limit.measure),
        "used": _amount(used, limit.measure),
        "left": _amount(max(0, limit.amount - used), limit.measure),
    }


def _cache(policy: CachePolicy) -> dict[str, dict[str, object]]:
    """In the configuration's names; a threshold that is null is the embedder's own."""
    exact, semantic = policy.exact, policy.semantic
    return {
        "exact": {"enabled": exact.enabled, "ttl": exact.ttl_s},
        "semantic": {
            "enabled": semantic.enabled,
            "ttl": semantic.ttl_s,
            "threshold": semantic.threshold,
            "shadow": semantic.shadow,
        },
    }


def _totals(used: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Of the day and of the month, running requests' reservations included."""
    told: dict[str, dict[str, float]] = {}
    for limit, each in zip(_TOTALS, used, strict=True):
        totals = told.setdefault(limit.kind.value, {})
        totals[_UNITS[limit.measure]] = _amount(each, limit.measure)
    return told


def _amount(amount: int, measure: Measure) -> float:
    return amount / NANO if measure is Measure.NANO_USD else amount
