"""The answer cache: what of it outlives configuration snapshots, and the stage of one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Final

from app.adapters.phrasebook import load_phrasebook
from app.adapters.redis.answers import AnswerLimits, RedisAnswers, kept_answers
from app.adapters.redis.answers_script import Room
from app.adapters.redis.store import Place
from app.adapters.semantic_index import Space
from app.bootstrap.embedding import embedding
from app.bootstrap.errands import OwnRequests
from app.bootstrap.measuring import Compared, Measured, measuring_hits
from app.domain.cache.decision import Verdict, may_serve
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.policy import CachePolicy, CacheRule, policy_of, rule_of
from app.domain.cache.thresholds import compared_threshold_of, threshold_of
from app.domain.identity.directory import Directory
from app.domain.identity.tenant import Principal, Tenant
from app.domain.quota.price import PriceTable
from app.domain.routing.deployment import Fleet
from app.ports import Clock, Embedder
from app.settings import Cache, Settings
from app.stages.caching import (
    ByMeaning,
    Caching,
    Flights,
    Judge,
    Keeping,
    Limits,
    Lookups,
    Replay,
    Rules,
    TheSame,
)

_MS: Final = 1000
_SALT_BYTES: Final = 8

Tenants = Callable[[], Mapping[str, Tenant]]
#: Bytes of all that one tenant has, over what a single answer may have.
_LARGEST_TENANT: Final = 1024


@dataclass(frozen=True, slots=True)
class Meaning:
    """What finds by meaning, what judges what it finds, and what measures that."""

    embedder: Embedder
    judge: Judge
    measured: Measured


@dataclass(frozen=True, slots=True)
class Cached:
    """Kept answers, and the way to find them by meaning; None where nobody wants one.

    `own` is how the cache asks for something itself.
    """

    answers: RedisAnswers
    meaning: Meaning | None
    own: OwnRequests


@asynccontextmanager
async def answer_cache(
    place: Place, clock: Clock, settings: Settings, directory: Directory, own: OwnRequests
) -> AsyncIterator[Cached]:
    """The cache of a process; its model is loaded now if anybody is answered by meaning."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        embedder, meaning = None, None
        if _finds_by_meaning(settings, directory):
            embedder = await enter(embedding(settings, clock, own.embed))
        if embedder is not None:
            book = await asyncio.to_thread(load_phrasebook)
            compared = Compared(embedder, book, compared_threshold_of(embedder.name))
            measuring = measuring_hits(place, clock, settings.cache, compared, own)
            meaning = Meaning(embedder, _judge(book), await enter(measuring))
        space = Space(embedder.name, embedder.dimensions) if embedder is not None else None
        answers = kept_answers(place, clock, limits=_limits(settings.cache), space=space)
        yield Cached(await enter(answers), meaning, own)


def _limits(cache: Cache) -> AnswerLimits:
    return AnswerLimits(
        lookup_s=cache.lookup_ms / _MS,
        search_s=cache.semantic_lookup_ms / _MS,
        entry_size=cache.max_entry_bytes,
        room=Room(answers=cache.max_entries, size=_LARGEST_TENANT * cache.max_entry_bytes),
    )


def _judge(book: Phrasebook) -> Judge:
    def judge(asked: str, kept: str, distance: float, threshold: float) -> Verdict:
        return may_serve(asked, kept, distance, threshold=threshold, book=book)

    return judge


def _finds_by_meaning(settings: Settings, directory: Directory) -> bool:
    """Whether the configuration or a tenant of the directory asks for it anywhere."""
    rules: Iterable[CacheRule] = chain(
        [rule_of(settings.cache)],
        (rule_of(model.cache) for model in settings.models.values()),
        (rule_of(tenant.cache) for tenant in settings.tenants.values()),
        (tenant.cache for tenant in directory.tenants.values()),
    )
    return any(rule.semantic.enabled for rule in rules)


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
        Rules(_policy(settings), _salt(fleet)),
        Lookups(
            TheSame(answers, clock),
            _by_meaning(cache, cached, clock),
            Flights(patience_s=cache.coalesce_s, generation=cached.own.keys.answers_generation),
            cached.meaning.measured.measuring if cached.meaning else None,
        ),
        Keeping(answers, prices, clock, at_most=cache.max_entry_bytes),
        Replay(clock, tokens_per_s=cache.replay_tokens_per_s),
        clock=clock,
    )


def caches_of(settings: Settings) -> Callable[[Principal], Mapping[str, CachePolicy]]:
    """By model, the policies of those that a caller may use and that a cache is on for."""
    policy = _policy(settings)

    def caches(principal: Principal) -> dict[str, CachePolicy]:
        names = [name for name in settings.models if principal.tenant.may_use(name)]
        policies = {name: policy(principal, name) for name in names}
        return {name: each for name, each in policies.items() if each.is_on}

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
    policy = _policy(settings)

    def bound(tenant: str, model: str) -> float:
        known = tenants().get(tenant, Tenant(tenant))
        found = policy(Principal(known, ""), model) if model in settings.models else CachePolicy()
        return found.semantic.false_hit_bound

    return bound


def _policy(settings: Settings) -> Callable[[Principal, str], CachePolicy]:
    """What the configuration, the model that serves a name, and the tenant say together."""
    general = rule_of(settings.cache)
    models = {
        name: rule_of(settings.models[settings.served_as(name)].cache) for name in settings.models
    }
    return lambda principal, model: policy_of(general, models[model], principal.tenant.cache)


def _salt(fleet: Fleet) -> Callable[[str], bytes]:
    """The base models behind a name: where they change, so do the answers."""

    def salt(name: str) -> bytes:
        targets = chain.from_iterable(fleet.models[name])
        models = sorted({fleet.deployments[each.deployment].model for each in targets})
        return blake2b("\n".join(models).encode(), digest_size=_SALT_BYTES).digest()

    return {name: salt(name) for name in fleet.models}.__getitem__
