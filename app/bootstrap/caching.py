"""The answer cache: what of it outlives configuration snapshots, and the stage of one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec

from app.adapters.redis.answers import AnswerLimits, RedisAnswers, kept_answers
from app.adapters.redis.answers_script import Room
from app.adapters.redis.store import Place
from app.bootstrap.errands import OwnRequests
from app.bootstrap.meaning import Opening, Parts, opening
from app.domain.cache.policy import CachePolicy, Policies, rule_of
from app.domain.cache.thresholds import threshold_of
from app.domain.identity.directory import Directory
from app.domain.identity.tenant import Principal, Tenant
from app.domain.quota.price import PriceTable
from app.domain.routing.deployment import Fleet
from app.ports import Clock
from app.settings import Cache, Settings
from app.stages.caching import (
    ByMeaning,
    Caching,
    Flights,
    Keeping,
    Limits,
    Lookups,
    Replay,
    Rules,
    TheSame,
)

if TYPE_CHECKING:  # see `meaning`
    from app.bootstrap.by_meaning import Meaning

_MS: Final = 1000
_SALT_BYTES: Final = 8

Tenants = Callable[[], Mapping[str, Tenant]]
#: Bytes of all that one tenant has, over what a single answer may have.
_LARGEST_TENANT: Final = 1024


class Cached(msgspec.Struct, frozen=True):
    """Kept answers, and the way to find them by meaning; `own` is how the cache asks itself."""

    answers: RedisAnswers
    by_meaning: Opening
    own: OwnRequests

    @property
    def meaning(self) -> Meaning | None:
        """None until somebody asks for it and it is open."""
        return self.by_meaning.current


@asynccontextmanager
async def answer_cache(
    place: Place,
    clock: Clock,
    settings: Settings,
    directory: Callable[[], Directory],
    own: OwnRequests,
) -> AsyncIterator[Cached]:
    """The cache of a process; its model is loaded once anybody is answered by meaning."""
    async with kept_answers(place, clock, limits=_limits(settings.cache)) as answers:
        parts = Parts(answers, place, clock, own)
        async with opening(parts, settings, directory) as by_meaning:
            yield Cached(answers, by_meaning, own)


def _limits(cache: Cache) -> AnswerLimits:
    return AnswerLimits(
        lookup_s=cache.lookup_ms / _MS,
        search_s=cache.semantic_lookup_ms / _MS,
        entry_size=cache.max_entry_bytes,
        room=Room(answers=cache.max_entries, size=_LARGEST_TENANT * cache.max_entry_bytes),
    )


def caching_of(
    settings: Settings,
    fleet: Fleet,
    cached: Cached,
    *,
    prices: PriceTable,
    clock: Clock,
) -> Caching:
    """The stage of one configuration snapshot."""
    cache, answers = settings.cache, cached.answers
    return Caching(
        Rules(_policies(settings).of, _salt(fleet)),
        Lookups(
            TheSame(answers, clock),
            _by_meaning(cache, cached, clock),
            Flights(patience_s=cache.coalesce_s, generation=_generation(cached)),
            cached.meaning.measured.measuring if cached.meaning else None,
        ),
        Keeping(answers, prices, clock, at_most=cache.max_entry_bytes),
        Replay(clock, tokens_per_s=cache.replay_tokens_per_s),
        clock=clock,
    )


def _generation(cached: Cached) -> Callable[[str], tuple[object, ...]]:
    """Of the tenant, of evictions that the directory tells of, and of this process's own."""

    def generation(tenant: str) -> tuple[object, ...]:
        known = cached.own.keys.answers_generation(tenant)
        return *known, cached.answers.last_eviction(tenant)

    return generation


def caches_of(settings: Settings) -> Callable[[Principal], Mapping[str, CachePolicy]]:
    """By model, the policies of those that a caller may use and that a cache is on for."""
    policies = _policies(settings)

    def caches(principal: Principal) -> dict[str, CachePolicy]:
        tenant = principal.tenant
        names = [name for name in settings.models if tenant.may_use(name)]
        found = {name: policies.of(name, tenant.cache) for name in names}
        return {name: each for name, each in found.items() if each.is_on}

    return caches


def _by_meaning(cache: Cache, cached: Cached, clock: Clock) -> ByMeaning | None:
    meaning = cached.meaning
    if meaning is None:
        return None
    limits = Limits(
        cache.semantic_lookup_ms / _MS,
        threshold_of(meaning.embedder.name),
        meaning.measured.errors.threshold,
    )
    return ByMeaning(cached.answers, meaning.embedder, meaning.judge, clock=clock, limits=limits)


def false_hit_bound(settings: Settings, tenants: Tenants) -> Callable[[str, str], float]:
    """Which part of a tenant's answers by meaning from a model may be wrong."""
    policies = _policies(settings)

    def bound(tenant: str, model: str) -> float:
        rule = tenants().get(tenant, Tenant(tenant)).cache
        found = policies.of(model, rule) if model in settings.models else CachePolicy()
        return found.semantic.false_hit_bound

    return bound


def _policies(settings: Settings) -> Policies:
    """What the configuration, the model that serves a name, and the tenant say together."""
    general = rule_of(settings.cache)
    models = {
        name: rule_of(settings.models[settings.served_as(name)].cache) for name in settings.models
    }
    return Policies(general, models)


def _salt(fleet: Fleet) -> Callable[[str], bytes]:
    """The base models behind a name: where they change, so do the answers."""

    def salt(name: str) -> bytes:
        targets = chain.from_iterable(fleet.models[name])
        models = sorted({fleet.deployments[each.deployment].model for each in targets})
        return blake2b("\n".join(models).encode(), digest_size=_SALT_BYTES).digest()

    return {name: salt(name) for name in fleet.models}.__getitem__
