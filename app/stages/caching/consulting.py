"""Answer from a cache what was answered before, and keep what is answered now.

The same request first, then an identical one that is under way, then one that means the same. What
goes wrong here is a miss: nobody is refused because of a cache.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final

import msgspec

from app.domain.cache.entry import Bypass, Entry
from app.domain.cache.outcome import CacheRecord, CacheResult
from app.domain.cache.policy import CachePolicy, CacheRule
from app.domain.call.request import INFERENCE, InferenceRequest, Operation
from app.domain.identity.tenant import Principal
from app.errors import NotCached
from app.observation import Observation
from app.ports import Clock, Reply
from app.stages.caching.asked import Asked, narrowed
from app.stages.caching.exact import TheSame
from app.stages.caching.flights import Flights
from app.stages.caching.keeping import Keeping
from app.stages.caching.meaning import ByMeaning
from app.stages.caching.measuring import Asker, Hit, Measuring
from app.stages.caching.recording import Recording
from app.stages.caching.replay import Replay
from app.wire.cache.directives import directives_of
from app.wire.cache.question import question_of

#: Headers that are passed on and choose how an upstream answers.
_SHAPING: Final = ("aoai-evals", "openai-beta")


@dataclass(slots=True)
class Consulted:
    """What the caches said of one request; `vector` is its prompt's, where it was embedded."""

    hit: Entry | None = None
    would_be: Entry | None = None  # a hit, were the cache not only watching, or found wrong
    vector: bytes | None = None
    operation: Operation = Operation.CHAT_COMPLETIONS
    keeps_up_to: int = 0  # bytes of the answer; 0: it is not to be kept
    recording: Recording | None = None

    def recorded(self, reply: Reply) -> Reply:
        """The reply that the answer is to be sent through."""
        if not self.keeps_up_to:
            return reply
        self.recording = Recording(reply, self.operation, at_most=self.keeps_up_to)
        return self.recording


class _NotAsked:
    """The scope of a request that no cache is on for."""

    __slots__ = ()

    async def __aenter__(self) -> Consulted:
        return _NOTHING_SAID

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is kept."""


#: Nothing is put into it where nothing is to be kept.
_NOTHING_SAID: Final = Consulted()
_NOT_ASKED: Final = _NotAsked()


class Rules(msgspec.Struct, frozen=True):
    """What holds for a tenant's requests for a model, and what else shapes their answers."""

    policy: Callable[[str, CacheRule], CachePolicy]
    salt: Callable[[str], bytes]


class Lookups(msgspec.Struct, frozen=True):
    """Where answers are found; `by_meaning` None: there is no embedder.

    `measuring` is how often meaning was wrong, None where nobody wants to know.
    """

    the_same: TheSame
    by_meaning: ByMeaning | None
    flights: Flights
    measuring: Measuring | None = None


class Caching:
    """Both caches, as far as policy and caller allow."""

    def __init__(
        self, rules: Rules, lookups: Lookups, keeping: Keeping, replay: Replay, *, clock: Clock
    ) -> None:
        """Each of the four is one thing that the caches do."""
        self._rules = rules
        self._lookups = lookups
        self._keeping = keeping
        self._replay = replay
        self._clock = clock

    @property
    def flights(self) -> Flights:
        """Requests whose answers others wait for."""
        return self._lookups.flights

    def consulted(
        self,
        principal: Principal,
        request: InferenceRequest,
        headers: Mapping[str, str],
        observation: Observation,
    ) -> AbstractAsyncContextManager[Consulted]:
        """Look it up; what is answered inside the scope, through `recorded`, is kept.

        Raises MalformedRequest for headers of ours that cannot be read, NotCached where the caller
        wants no other answer than a kept one.
        """
        if request.route.operation not in INFERENCE:
            return _NOT_ASKED
        policy = self._rules.policy(request.model, principal.tenant.cache)
        if not policy.is_on:
            return _NOT_ASKED
        asked = self._asked(policy, principal, request, headers, observation)
        if asked is None:
            return _NOT_ASKED
        return self._consulted(asked, principal, headers, observation)

    @asynccontextmanager
    async def _consulted(
        self,
        asked: Asked,
        principal: Principal,
        headers: Mapping[str, str],
        observation: Observation,
    ) -> AsyncIterator[Consulted]:
        request = asked.request
        asker = Asker(principal, _passed_on(headers), observation.tags, observation.trace)
        consulted = await self._find(asked, observation)
        if consulted.hit is None and asked.directives.only_if_cached:
            raise NotCached("There is no answer in the cache, and the request allows no other.")
        if consulted.hit is not None or not asked.directives.store:
            yield consulted
            self._measure(asker, asked, consulted, observation)
            return
        with self._lookups.flights.leading(asked.key) as flight:
            consulted.operation = request.operation
            consulted.keeps_up_to = self._keeping.at_most
            yield consulted
            entry = await self._keeping.entry(asked, observation, consulted.recording)
            flight.land(entry)
            if entry is not None:
                await self._keeping.keep(asked, entry, consulted.vector)
                self._measure(asker, asked, consulted, observation, fresh=entry)

    def _measure(
        self,
        asker: Asker,
        asked: Asked,
        consulted: Consulted,
        observation: Observation,
        *,
        fresh: Entry | None = None,
    ) -> None:
        """After the client has its answer, which `fresh` is where it came from upstream."""
        measuring, cache = self._lookups.measuring, observation.cache
        if measuring is None or cache.distance is None:
            return
        if consulted.hit is not None and cache.result is CacheResult.SEMANTIC:
            measuring.served(Hit(asker, asked, consulted.hit, cache.distance))
        elif consulted.would_be is not None and fresh is not None:
            measuring.answered(Hit(asker, asked, consulted.would_be, cache.distance), fresh)

    async def replay(
        self, hit: Entry, request: InferenceRequest, reply: Reply, observation: Observation
    ) -> None:
        """Send a kept answer, in the form that the request asks for."""
        await self._replay.send(hit, request, reply, observation)

    def _asked(
        self,
        policy: CachePolicy,
        principal: Principal,
        request: InferenceRequest,
        headers: Mapping[str, str],
        observation: Observation,
    ) -> Asked | None:
        """None where no cache that is on fits it."""
        directives = directives_of(headers)
        question = question_of(request, salt=self._salt(principal, request.model, headers))
        if isinstance(question, Bypass):
            observation.cache = CacheRecord(reason=question)
            return None
        question = narrowed(question, policy.semantic)
        if question.reason and not policy.exact.enabled:
            observation.cache = CacheRecord(reason=question.reason)
            return None
        return Asked(principal.tenant.name, request, question, policy, directives)

    def _salt(self, principal: Principal, model: str, headers: Mapping[str, str]) -> bytes:
        """What shapes the answer beside the body, and where it may have been made."""
        said = [f"{name}:{said}" for name, said in _passed_on(headers).items()]
        routing = principal.tenant.routing
        for name, places in (("zones", routing.data_zones), ("regions", routing.regions)):
            said += [] if places is None else [f"{name}:{','.join(sorted(places))}"]
        return "\n".join([self._rules.salt(model).hex(), *said]).encode()

    async def _find(self, asked: Asked, observation: Observation) -> Consulted:
        """Ask each cache in turn, and put what came of it into `observation`."""
        digest = asked.question.fingerprint.hex()
        if not asked.directives.read:
            observation.cache = CacheRecord(reason="no_cache", fingerprint=digest)
            return Consulted()
        same = await self._lookups.the_same.find(asked)
        if same.entry is not None:
            observation.cache = self._hit(same.entry, CacheResult.EXACT)
            return Consulted(same.entry)
        observation.cache = CacheRecord(CacheResult.MISS, same.reason, digest)
        meant = await self._meant(asked, observation)
        if meant.hit is None and asked.may_wait:
            meant.hit = await self._lookups.flights.answer(asked.key)
            if meant.hit is not None:
                observation.cache = self._hit(meant.hit, CacheResult.EXACT, reason="coalesced")
        return meant

    async def _meant(self, asked: Asked, observation: Observation) -> Consulted:
        by_meaning = self._lookups.by_meaning
        if not asked.by_meaning:
            return Consulted()
        if by_meaning is None:
            observation.cache = replace(observation.cache, reason="embedder_unavailable")
            return Consulted()
        found = await by_meaning.find(asked)
        if found.entry is None:
            observation.cache = replace(
                observation.cache, reason=found.reason, distance=found.distance
            )
            return Consulted(vector=found.vector)
        hit = self._hit(found.entry, CacheResult.SEMANTIC, distance=found.distance)
        if found.withheld or asked.policy.semantic.shadow:
            observation.cache = replace(
                observation.cache,
                reason=found.reason or observation.cache.reason,
                source=hit.source,
                age_s=hit.age_s,
                distance=hit.distance,
                would_hit=not found.withheld,
            )
            return Consulted(vector=found.vector, would_be=found.entry)
        observation.cache = hit
        return Consulted(found.entry, vector=found.vector)

    def _hit(
        self,
        entry: Entry,
        result: CacheResult,
        *,
        reason: str = "",
        distance: float | None = None,
    ) -> CacheRecord:
        return CacheRecord(
            result=result,
            reason=reason,
            fingerprint=entry.question.fingerprint.hex(),
            source=entry.request_id,
            age_s=max(0.0, self._clock.unix() - entry.stored_at),
            distance=distance,
            saved=entry.usage,
            saved_nano_usd=entry.nano_usd,
            saved_s=entry.seconds,
        )


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _SHAPING if name in headers}
