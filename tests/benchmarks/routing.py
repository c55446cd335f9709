"""What a request costs between its admission and the transport, by its parts.

Microseconds of one thread, the median over requests, without an event loop: the stages are the
gateway's own, what they wait for is there at once. Of several tenants that ask in turns, of a model
with one deployment, with three that share it by weight, and with a PTU before a pay-as-you-go one,
half full or full; and of a stream that the gateway asks for its usage frame.
`python -m tests.benchmarks.routing`.
"""

from __future__ import annotations

import gc
import statistics
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter_ns
from typing import Any, Final

from app.adapters.azure.credentials import ApiKeyCredential
from app.adapters.azure.deployments import AzureOpenAI
from app.adapters.holds import LocalHoldBoard
from app.adapters.upstream.read_by_read import ReadByRead
from app.domain.cache.policy import UNSAID, Policies, rule_of
from app.domain.call.request import InferenceRequest
from app.domain.capacity.capacity_book import CapacityBook, Configured
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.paygo_window import PaygoCapacity
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.shares import Claim, RequestClass
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.domain.routing.deployment import Api, Deployment, Fleet, Kind, Target, Tiers, Timeouts
from app.domain.routing.doubts import Doubts
from app.domain.routing.health import Health
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.retry_budget import RetryBudget
from app.domain.routing.warm_cache import WarmCaches
from app.observation import Observation
from app.ports import UpstreamResponse
from app.settings import CacheRules
from app.stages.caching import Caching, Rules
from app.stages.routing import Routing, Waiting
from app.stages.upstream import Judging, Retries, Upstreams
from app.standing import Standing
from app.waiting import WaitingRoom
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.call import FakeCall
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.house import House

_MODEL: Final = "gpt-4o"
_TENANTS: Final = 10
_WARM_UP: Final = 3000
_REQUESTS: Final = 20_000
#: Of a thousandth of a second of the PTU each: with so many between two looks it stays half full.
_REQUEST_S: Final = 0.001
_FULL_FOR_S: Final = 600.0
_DEMAND: Final = Demand(prompt=40, output=200)
_USED: Final = {"prompt_tokens": 40, "completion_tokens": 100, "total_tokens": 140}
_PTU: Final = PtuCapacity(tokens_per_s=(40 + 4 * 100) / _REQUEST_S, output_ratio=4.0)
_BODY: Final = (
    b'{"model":"gpt-4o","max_tokens":200,"messages":[{"role":"system","content":"You answer '
    b'briefly."},{"role":"user","content":"Tell me of the sea, and of those who sail it."}]%b}'
)
_HEADERS: Final = {
    "host": "gateway",
    "accept": "application/json",
    "content-type": "application/json",
    "user-agent": "OpenAI/Python 2.54.0",
    "x-stainless-read-timeout": "600",
}
_ANSWERED: Final = {
    "content-type": "application/json",
    "x-request-id": "8c1bd1b2-5c9d-4e6c-a7c4-3a3d5a1ed6b1",
    "apim-request-id": "5f0f6f1e-7ee2-4b5c-8b27-1c9a1a0c2d3e",
    "x-ms-region": "East US",
}
_WINDOWS: Final = {
    "x-ratelimit-limit-tokens": "90000000",
    "x-ratelimit-remaining-tokens": "45000000",
    "x-ratelimit-limit-requests": "900000",
    "x-ratelimit-remaining-requests": "450000",
}
_WHOLE: Final = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index'
    b'":0,"message":{"role":"assistant","content":"' + b"wave " * 80 + b'"},"finish_reason":"stop"}'
    b'],"usage":{"prompt_tokens":40,"completion_tokens":100,"total_tokens":140}}'
)
_FRAMES: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{'
    b'"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{'
    b'"content":"wave"},"finish_reason":null}]}\n\n'
)

#: What is between two moments that are noted, in this order.
PARTS: Final = (
    "the deployments that may serve",
    "the cache, which is off",
    "the plan",
    "search, up to the port",
    "URL, credential, body",
    "the answer's headers and what it used",
    "the answer's end",
)
_TO_THE_TRANSPORT: Final = slice(1, 5)


class _Response(ReadByRead):
    """An answer that is here."""

    def __init__(self, headers: Mapping[str, str], body: bytes) -> None:
        self.status = 200
        self.headers = headers
        self._parts = [b"", body]

    async def read(self, _patience_s: float) -> bytes:
        return self._parts.pop()

    def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class _Moments:
    """When one request came where."""

    at: list[int]

    def note(self) -> None:
        self.at.append(perf_counter_ns())


class _Transport:
    """Answers at once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def send(
        self,
        _method: str,
        _url: str,
        _headers: Mapping[str, str],
        _body: bytes,
        *,
        timeouts: Timeouts,
    ) -> _Response:
        assert timeouts.total
        scene = self._scene
        scene.moments.note()
        return scene.answer


class _Port:
    """The port, with a note of when it was called."""

    def __init__(self, scene: Scene, adapter: AzureOpenAI) -> None:
        self._scene = scene
        self._adapter = adapter

    async def open(
        self, deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> UpstreamResponse:
        self._scene.moments.note()
        return await self._adapter.open(deployment, request, headers)


class Scene:
    """One fleet, its stages, and tenants that ask."""

    def __init__(
        self, tiers: Tiers, capacities: Mapping[str, Configured], *, stream: bool = False
    ) -> None:
        names = [target.deployment for tier in tiers for target in tier]
        fleet = Fleet({name: _deployment(name) for name in names}, {_MODEL: tiers})
        self.clock = FakeClock()
        self.moments = _Moments([])
        self.book = CapacityBook("one")
        self.book.follow(capacities, self.clock.now())
        self.holds = LocalHoldBoard(self.clock)
        standing = Standing(self.holds, self.book, Health(), WarmCaches(), lambda: 0.5)
        credentials = {name: ApiKeyCredential("k" * 32, Api.CLASSIC) for name in names}
        waiting = Waiting(WaitingRoom(self.clock), dict.fromkeys(RequestClass, 1.0))
        rules = LiveRules(version=lambda: fleet)  # nobody says anything
        self.routing = Routing(
            fleet, standing, self.clock, waiting=waiting, draw=lambda: 0.5, rules=rules
        )
        self.caching = _caching_that_is_off(fleet)
        self.upstreams = Upstreams(
            fleet,
            _Port(self, AzureOpenAI(_Transport(self), credentials)),
            Judging(standing, Doubts()),
            self.clock,
            retries=Retries(RetryBudget()),
            rules=rules,
        )
        body = _BODY % (b',"stream":true' if stream else b"")
        self.request = read_request(match("POST", "/v1/chat/completions", ""), body)
        self._told = _told(names[0])
        self._stream = stream
        self.answer = self._made()

    def fill(self, name: str) -> None:
        """It is full, and has said so: for longer than all of this takes."""
        load = Load(Claim("others"), Demand(int(_PTU.tokens_per_s * _FULL_FOR_S), 0))
        self.book.take(name, load, self.clock.now())
        self.holds.hold(name, self.clock.now() + _FULL_FOR_S)
        self._told = _told("paygo")

    def _made(self) -> _Response:
        """An answer as the first deployment gives it, which says how full it is."""
        if self._stream:
            return _Response({**self._told, "content-type": "text/event-stream"}, _FRAMES)
        return _Response(self._told, _WHOLE)

    def play(self, principals: Sequence[Principal], count: int) -> list[list[int]]:
        """Nanoseconds of each part, of so many requests."""
        taken = []
        for number in range(count):
            self.clock.advance(_REQUEST_S)
            self.book.news(self.clock.now())
            taken.append(self._one(principals[number % len(principals)]))
        return taken

    def _one(self, principal: Principal) -> list[int]:
        observation = Observation(FakeCall(headers=_HEADERS), self.clock)
        observation.principal, observation.request = principal, self.request
        observation.demand = _DEMAND
        self.moments, self.answer = _Moments([]), self._made()
        _run(self._serve(principal, observation))
        noted = self.moments.at
        return [after - before for before, after in pairwise(noted)]

    async def _serve(self, principal: Principal, observation: Observation) -> None:
        note, request = self.moments.note, self.request
        note()
        choices = self.routing.choices(principal, request, None)
        note()
        async with self.caching.consulted(principal, request, _HEADERS, observation):
            note()
            plan = await self.routing.plan(principal, request, choices, observation)
            note()
            async with self.upstreams.answer(plan, request, _HEADERS, observation):
                note()
            note()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """To its end, which nothing keeps it from."""
    try:
        work.send(None)
    except StopIteration:
        return
    message = "it waits for something"
    raise RuntimeError(message)


def _caching_that_is_off(fleet: Fleet) -> Caching:
    """Its policies are a configuration's, which asks for no cache; nothing else is looked at."""
    usual = House(fleet).gateway.caching
    policies = Policies(rule_of(CacheRules()), {_MODEL: UNSAID})
    # The house's policies are made anew each time.
    usual._rules = Rules(policies.of, lambda _: b"")  # noqa: SLF001
    return usual


def _deployment(name: str) -> Deployment:
    return Deployment(
        name=name,
        kind=Kind.PTU if name.startswith("ptu") else Kind.PAYGO,
        endpoint=f"https://{name}.openai.azure.com",
        api=Api.CLASSIC,
        azure_name=name,
        model=_MODEL,
        api_version="2024-10-21",
        context_window=128_000,
    )


def _told(name: str) -> Mapping[str, str]:
    if name.startswith("ptu"):
        return {**_ANSWERED, "azure-openai-deployment-utilization": "50.0%"}
    return {**_ANSWERED, **_WINDOWS}


def scenes() -> dict[str, Scene]:
    """By name."""
    paygo = PaygoCapacity(tpm=90_000_000, rpm=900_000)
    names = ("paygo-a", "paygo-b", "paygo-c")
    three: dict[str, Configured] = dict.fromkeys(names, paygo)
    one, both = (Target("paygo"),), ((Target("ptu"),), (Target("paygo"),))
    of_both: dict[str, Configured] = {"ptu": _PTU, "paygo": paygo}
    full = Scene(both, of_both)
    full.fill("ptu")
    return {
        "one deployment": Scene((one,), {"paygo": paygo}),
        "three by weight": Scene((tuple(map(Target, names)),), three),
        "a PTU, then pay-as-you-go": Scene(both, of_both),
        "the same, a stream": Scene(both, of_both, stream=True),
        "the PTU full and held": full,
    }


def tenants() -> list[Principal]:
    """Half of them with a guaranteed part, of two classes."""
    made = []
    for number in range(_TENANTS):
        share = 0.05 if number % 2 else 0.0
        policy = replace(RoutePolicy(RequestClass(1 + number % 2)), ptu_share=share)
        made.append(Principal(Tenant(f"tenant-{number}", routing=policy), f"key-{number}"))
    return made


def main() -> None:
    """Print a table."""
    columns = {}
    for name, scene in scenes().items():
        principals = tenants()
        scene.play(principals, _WARM_UP)
        gc.collect()
        gc.freeze()
        taken = scene.play(principals, _REQUESTS)
        columns[name] = [statistics.median(part) / 1e3 for part in zip(*taken, strict=True)]
    _write(("", *columns))
    _write(("---", *("--:" for _ in columns)))
    for number, part in enumerate(PARTS):
        _write((part, *(f"{column[number]:.1f}" for column in columns.values())))
    sums = (sum(column[_TO_THE_TRANSPORT]) for column in columns.values())
    _write(("**from admission to the transport**", *(f"**{each:.1f}**" for each in sums)))
    _write(("all of it", *(f"{sum(column):.1f}" for column in columns.values())))


def _write(cells: Sequence[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
