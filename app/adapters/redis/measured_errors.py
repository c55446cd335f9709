"""How often answers by meaning were wrong: counted in Redis by all replicas, followed in memory.

No request waits for it: comparisons are told later, and thresholds are those of the last look. A
tenant that was not looked at yet is answered nothing by meaning, which the first look mends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import msgspec
import structlog

from app.adapters.background import background
from app.adapters.redis.answers_encoding import tag_of
from app.adapters.redis.batch import Commands, NotSent
from app.domain.cache.error_rate import Comparison, ErrorRate, tightened, total
from app.domain.cache.measured import (
    DAYS,
    Evidence,
    MeasuredError,
    day_of,
    evidence_by_model,
    field_of,
    measured,
)
from app.errors import StoreUnavailable
from app.ports import Clock

#: How often what others counted is looked at.
REFRESH_S: Final = 10.0
#: After a look in vain, and between looks when there is news.
PAUSE_S: Final = 0.2
#: A tenant that asked nothing by meaning for so long is not followed any more.
FOLLOWED_S: Final = 3600.0
#: Counts that wait for Redis; more are lost, and counted as that.
MOST_WAITING: Final = 10_000
#: What waits at the end is told within this time, or not at all.
_LAST_S: Final = 0.5
_KEPT_S: Final = (DAYS + 1) * 86_400

_Days = dict[int, Mapping[str, int]]


class Measure(msgspec.Struct, frozen=True):
    """What is measured: distances of one embedder, and how far they may go."""

    embedder: str
    widest: float


class MeasuredRate(msgspec.Struct, frozen=True):
    """How often answers by meaning were wrong, and the strictest bound; None: nothing is known."""

    rate: ErrorRate
    bound: float | None


@dataclass(slots=True)
class _Followed:
    """One tenant, as of the last look."""

    asked_at: float
    looked_at: float | None = None  # on the monotonic clock; None: not yet
    days: _Days = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)


class RedisMeasuredErrors:
    """HitEvidence and MeasuredErrors; open within `measuring_errors`.

    `bound` says which part of a tenant's answers from a model may be wrong; a reload replaces it.
    """

    def __init__(self, batch: Commands, clock: Clock, measure: Measure) -> None:
        """`clock` tells the day that a comparison counts for."""
        self._batch = batch
        self._clock = clock
        self._measure = measure
        self._followed: dict[str, _Followed] = {}
        self._waiting: Counter[tuple[str, int, str]] = Counter()
        self._news = asyncio.Event()
        self.bound: Callable[[str, str], float] = lambda _tenant, _model: 0.02
        self.compared_total: Counter[Comparison] = Counter()
        self.lost_total = 0

    def threshold(self, tenant: str, model: str) -> float:
        """The largest distance at which this tenant may be answered; 0 before the first look."""
        followed = self._follow(tenant)
        if followed.looked_at is None:
            return 0.0
        return followed.thresholds.get(model, self._measure.widest)

    def record(self, tenant: str, model: str, distance: float, comparison: Comparison) -> None:
        """Count one comparison; nobody waits for it."""
        self.compared_total[comparison] += 1
        what = (tenant, day_of(self._clock.unix()), field_of(model, distance, comparison))
        if what not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self.lost_total += 1
            return
        self._waiting[what] += 1
        self._news.set()

    async def listed(self, tenant: str) -> Sequence[MeasuredError]:
        """Of each model, as of now; as of the last look where Redis is away.

        Raises StoreUnavailable where there was none.
        """
        followed = self._follow(tenant)
        try:
            await self._look(tenant, followed)
        except StoreUnavailable:
            if followed.looked_at is None:
                raise
        return [
            measured(
                tenant,
                model,
                evidence,
                threshold=followed.thresholds[model],
                widest=self._measure.widest,
            )
            for model, evidence in sorted(followed.evidence.items())
        ]

    def overall(self) -> MeasuredRate:
        """Of all tenants and models that are followed here, as of the last look."""
        found = [
            (self.bound(tenant, model), evidence.bands)
            for tenant, followed in self._followed.items()
            for model, evidence in followed.evidence.items()
        ]
        bands = [band for _, bands in found for band in bands]
        return MeasuredRate(total(bands), min((bound for bound, _ in found), default=None))

    async def is_news(self, tenant: str, told: str) -> bool:
        """Whether nobody has told this before, within the time that evidence lasts.

        Raises StoreUnavailable.
        """
        digest = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        key = f"{_key(tenant)}:told:{digest}"
        return await self._batch.call(("SET", key, "1", "NX", "EX", _KEPT_S)) is not None

    async def keep_following(self) -> None:
        """Tell what was counted here, and look at what was counted anywhere; for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self._news.wait()
            self._news.clear()
            try:
                told = await self.tell()
                await self._look_at_all(told)
            except StoreUnavailable:  # told by the breaker; what is known goes on
                self._news.set()
            await asyncio.sleep(PAUSE_S)

    async def tell(self) -> set[str]:
        """Send what waits; whose it was. What may have arrived is not sent again.

        Raises NotSent where some of it still waits.
        """
        waiting, self._waiting = self._waiting, Counter()
        answers = await asyncio.gather(
            *(self._add(what, count) for what, count in waiting.items()), return_exceptions=True
        )
        for (what, count), answer in zip(waiting.items(), answers, strict=True):
            if isinstance(answer, NotSent):
                self._waiting[what] += count
            elif isinstance(answer, BaseException):
                self.lost_total += count
        if self._waiting:
            raise NotSent("Counts wait for the gateway's store.")
        return {tenant for tenant, _, _ in waiting}

    async def _add(self, what: tuple[str, int, str], count: int) -> None:
        tenant, day, name = what
        key = self._day_key(tenant, day)
        await self._batch.call(("HINCRBY", key, name, count))
        await self._batch.call(("EXPIRE", key, _KEPT_S))

    async def _look_at_all(self, told: Iterable[str]) -> None:
        now = self._clock.now()
        for tenant, followed in list(self._followed.items()):
            if now - followed.asked_at > FOLLOWED_S:
                del self._followed[tenant]
        due = set(told) | {
            tenant
            for tenant, each in self._followed.items()
            if each.looked_at is None or now - each.looked_at >= REFRESH_S
        }
        for tenant in due & self._followed.keys():
            await self._look(tenant, self._followed[tenant])

    async def _look(self, tenant: str, followed: _Followed) -> None:
        """Days that are over do not change, but for clocks that differ: they are read once."""
        today = day_of(self._clock.unix())
        wanted = range(today - DAYS + 1, today + 1)
        read = [day for day in wanted if day not in followed.days or day >= today - 1]
        keys = [self._day_key(tenant, day) for day in read]
        found = await asyncio.gather(*(self._batch.call(("HGETALL", key)) for key in keys))
        days = followed.days | {day: _counts(each) for day, each in zip(read, found, strict=True)}
        followed.days = {day: days[day] for day in wanted}
        followed.evidence = evidence_by_model(followed.days.values())
        followed.thresholds = {
            model: self._tightened(tenant, model, followed) for model in followed.evidence
        }
        followed.looked_at = self._clock.now()

    def _tightened(self, tenant: str, model: str, followed: _Followed) -> float:
        evidence, before = followed.evidence[model], followed.thresholds.get(model)
        found = tightened(
            evidence.bands,
            bound=self.bound(tenant, model),
            widest=self._measure.widest,
            current=before,
        )
        if found != (self._measure.widest if before is None else before):
            structlog.get_logger().info(
                "semantic_threshold",
                tenant=tenant,
                model=model,
                threshold=found,
                samples=evidence.error_rate.samples,
                false_hits=evidence.error_rate.different,
            )
        return found

    def _follow(self, tenant: str) -> _Followed:
        now = self._clock.now()
        followed = self._followed.get(tenant)
        if followed is None:
            followed = self._followed[tenant] = _Followed(now)
            self._news.set()
        followed.asked_at = now
        return followed

    def _day_key(self, tenant: str, day: int) -> str:
        return f"{_key(tenant)}:{self._measure.embedder}:{day}"


def _key(tenant: str) -> str:
    """All of a tenant's are on one node of a cluster."""
    return f"spillgate:measured:{{{tag_of(tenant)}}}"


def _counts(found: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode("utf-8", "replace"): int(count) for name, count in found.items()}


@asynccontextmanager
async def measuring_errors(
    batch: Commands, clock: Clock, measure: Measure
) -> AsyncIterator[RedisMeasuredErrors]:
    """Evidence that is told and followed for as long as the scope is open, the last included."""
    errors = RedisMeasuredErrors(batch, clock, measure)
    async with background("measured errors", errors.keep_following):
        yield errors
    with suppress(TimeoutError, StoreUnavailable):
        async with asyncio.timeout(_LAST_S):
            await errors.tell()
