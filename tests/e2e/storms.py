"""Storms of requests on gateways that are processes of their own, and the account's books in Redis.

Each gateway is asked for a model of its own, so that what it holds can be told from what the other
does: the tenant and its key are the same.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from redis.asyncio import Redis

from app.adapters.redis.account import account_key
from app.cli.key import new_key
from app.domain.ledger.ledger_row import LedgerRow, decode, marked
from app.domain.quota.calendar import days_around
from app.domain.quota.limit import FORMS, Kind, LimitName, Measure
from tests.e2e.canned import canned, whole
from tests.e2e.command import Spillgate, spillgate
from tests.e2e.gateways import DEADLINE_S

MODELS: Final = ("left", "right")
#: Who asks at once of one gateway.
_CROWD: Final = 24
_ERROR: Final = '"level":"error"'
#: Less than is reserved for it, as most are.
_USAGE: Final = {"prompt_tokens": 8, "completion_tokens": 36, "total_tokens": 44}
_ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "wave " * 40},
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
).encode()


@dataclass(slots=True)
class Answers:
    """What came back, by the gateway's model.

    Attributes:
        served: request ids that were answered.
        refused: what those were told who were refused.
        cut: how many got no answer, because their connection ended.
    """

    served: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    degraded: Counter[str] = field(default_factory=Counter)
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as its account keeps it: for which model, and how many requests are not settled."""

    name: str
    model: str
    requests: int


@dataclass(slots=True)
class Look:
    """The account at one moment."""

    day: dict[str, int]
    windows: dict[str, int]
    holds: int
    leases: list[Lease]

    def used(self, name: LimitName) -> int:
        """Of a limit of the tenant, what is held included."""
        kind, measure = FORMS[name]
        if kind is Kind.WINDOW:
            return self.windows[name]
        return self.committed(measure) + self.held(measure)

    def committed(self, measure: Measure, scope: str = "tenant") -> int:
        """What is charged."""
        return self.day.get(f"committed:{measure}:{scope}", 0)

    def held(self, measure: Measure, scope: str = "tenant") -> int:
        """What is held, of requests and leases."""
        return self.day.get(f"held:{measure}:{scope}", 0)

    def leases_of(self, model: str) -> list[Lease]:
        """Of the gateway that is asked for this model."""
        return [lease for lease in self.leases if lease.model == model]


@dataclass(slots=True)
class Books:
    """A tenant's account, looked at from outside.

    Attributes:
        granted: by lease, how many requests were left of it whenever it was seen.
    """

    redis: Redis
    tenant: str
    granted: dict[str, list[int]] = field(default_factory=dict)

    async def look(self) -> Look:
        """In one step, as whoever asks for a reservation sees it."""
        key, day = account_key(self.tenant), days_around(time.time())[1].name
        names = (LimitName.RPM, LimitName.TPM)
        transaction: Any = self.redis.pipeline(transaction=True)
        async with transaction as at_once:
            at_once.hgetall(f"{key}:day:{day}")
            for name in names:
                at_once.hgetall(f"{key}:window:{name}:tenant")
            at_once.hgetall(f"{key}:holds")
            totals, *windows, holds = await at_once.execute()
        leases = list(_leases(holds))
        for lease in leases:
            self.granted.setdefault(lease.name, []).append(lease.requests)
        return Look(
            day={field.decode(): int(amount) for field, amount in totals.items()},
            # All of a storm is younger than a minute. Two fields are no buckets.
            windows={
                name: sum(int(amount) for bucket, amount in window.items() if int(bucket) > 0)
                for name, window in zip(names, windows, strict=True)
            },
            holds=len(holds),
            leases=leases,
        )

    @property
    def parts_settled(self) -> int:
        """Of leases, as far as looks have shown."""
        return sum(max(left) - min(left) for left in self.granted.values())

    async def until(self, holds: Callable[[Look], bool]) -> Look:
        """Look until it is so."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds(look := await self.look()):
                await asyncio.sleep(0.01)
        return look

    async def rows(self) -> list[LedgerRow]:
        """The ledger, with what the account noted about each row."""
        entries: Any = await self.redis.xrange(f"{account_key(self.tenant)}:ledger")
        return [
            marked(decode(fields[b"row"]), fields[b"mark"].decode(), 0.0) for _, fields in entries
        ]


def _leases(holds: dict[bytes, bytes]) -> Iterator[Lease]:
    for name, raw in holds.items():
        hold = json.loads(raw)
        if hold.get("aside"):
            model = decode(hold["draft"].encode()).model
            yield Lease(name.decode(), str(model), hold["requests"])


@dataclass(slots=True)
class Slow:
    """What Azure answers, after some seconds."""

    after_s: float = 0.0

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self.after_s)
        await whole(_ANSWER)(writer)


@dataclass(slots=True)
class Gateway:
    """A process, and what it is asked for."""

    command: Spillgate
    url: str
    model: str


@dataclass(slots=True)
class Site:
    """Two gateways on one Redis, and their Azure."""

    gateways: list[Gateway]
    redis: Redis
    azure: Slow
    keys: dict[str, str]

    def tenant(self, name: str) -> Tenant:
        """One that nobody has asked for yet."""
        answers = {each.model: Answers() for each in self.gateways}
        return Tenant(self, Books(self.redis, name), self.keys[name], answers)

    @property
    def errors(self) -> list[str]:
        """What the gateways have logged as such, but for what a frozen Redis explains."""
        lines = [line for each in self.gateways for line in each.command.lines if _ERROR in line]
        return [line for line in lines if "ledger_not_copied" not in line]


@dataclass(slots=True)
class Tenant:
    """Who asks, what they were answered, and their account."""

    site: Site
    books: Books
    key: str
    answers: dict[str, Answers]
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def storm(self, *gateways: Gateway, crowd: int = _CROWD) -> AsyncIterator[None]:
        """Crowds ask these, or all, one request after the other, until this is left."""
        self._ending.clear()
        async with asyncio.TaskGroup() as asking:
            for gateway in gateways or self.site.gateways:
                for _ in range(crowd):
                    asking.create_task(self._ask_on(gateway))
            try:
                yield
            finally:
                self._ending.set()

    async def ask(self, gateway: Gateway) -> bool:
        """One request; whether it was refused."""
        reader, writer = await _connected(gateway)
        refused = len(self.refused)
        try:
            await self._ask(gateway, reader, writer)
        finally:
            writer.close()
        return len(self.refused) > refused

    async def _ask_on(self, gateway: Gateway) -> None:
        """On one connection, while it lasts."""
        reader, writer = await _connected(gateway)
        try:
            while not self._ending.is_set():
                await self._ask(gateway, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.answers[gateway.model].cut += 1
        finally:
            writer.close()

    async def _ask(
        self, gateway: Gateway, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(_request(self.key, gateway.model))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        first, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        body = await reader.readexactly(int(headers["content-length"]))
        answers = self.answers[gateway.model]
        status = first.split(" ")[1]
        if status == "200":
            answers.served.append(headers["x-request-id"])
        else:
            assert status == "429", body
            answers.refused.append(json.loads(body)["error"]["message"])
        if policy := headers.get("x-spillgate-degraded"):
            answers.degraded[policy] += 1

    @property
    def served(self) -> list[str]:
        """Request ids of all that were answered."""
        return [each for answers in self.answers.values() for each in answers.served]

    @property
    def refused(self) -> list[str]:
        """All refusals."""
        return [each for answers in self.answers.values() for each in answers.refused]


async def _connected(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(gateway.url)
    return await asyncio.open_connection(where.hostname, where.port)


def _request(key: str, model: str) -> bytes:
    asked = {"model": model, "max_tokens": 40, "messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps(asked).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\napi-key: {key}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def site(
    directory: Path,
    redis_url: str,
    tenants: Mapping[str, Mapping[str, float]],
    *,
    module: str = "app.main",
    patience_ms: int = 5000,
) -> AsyncIterator[Site]:
    """Two gateways on one configuration; the tenants have these limits.

    `module` is what is run for a gateway, `patience_ms` how long it waits for its Redis.
    """
    keys, azure = {name: new_key("test") for name in tenants}, Slow()
    async with AsyncExitStack() as opened:
        upstream = await opened.enter_async_context(canned(azure))
        redis = await opened.enter_async_context(Redis.from_url(redis_url))
        config = directory / "spillgate.yaml"
        seeds = {name: {"keys": [keys[name]], "limits": dict(tenants[name])} for name in tenants}
        place = {"url": redis_url, "operation_timeout_ms": patience_ms}
        config.write_text(yaml.safe_dump(_config(directory, place, upstream.url, seeds)))
        serve = ("serve", "--config", str(config))
        commands = [
            opened.enter_context(spillgate(*serve, cwd=directory, module=module)) for _ in MODELS
        ]
        gateways = []
        for command, model in zip(commands, MODELS, strict=True):
            line = await asyncio.to_thread(command.logged, "serving")
            gateways.append(Gateway(command, line["data"], model))
        yield Site(gateways, redis, azure, keys)


def _config(
    directory: Path, redis: dict[str, Any], azure: str, tenants: dict[str, Any]
) -> dict[str, Any]:
    deployment = {"kind": "paygo", "endpoint": azure, "model": "gpt-4o", "deployment": "gpt-4o"}
    return {
        "redis": redis,
        "listen": {"port": 0, "admin_port": 0},
        "ledger": {"archive": str(directory / "ledger")},
        "admin": {"key": "an-admin-key-of-tests"},
        "deployments": {"paygo": deployment | {"auth": {"api_key": "k"}}},
        "models": {model: {"tiers": [["paygo"]]} for model in MODELS},
        "tenants": tenants,
        # A busy machine is not what is tested.
        "timeouts": {"connect_s": 30, "drain_lag_s": 0, "drain_s": 5},
    }
