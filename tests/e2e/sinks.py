"""Everything a gateway writes and answers, to be searched for what must not be in it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

from redis.asyncio import Redis

from tests.e2e.stack import Stack
from tests.fakes.trace_receiver import TraceReceiver

OWNER: Final = {"authorization": "Bearer an-admin-key-of-tests"}


class Canaries:
    """A value for each place that it is planted in; none looks like a key, none is in another."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        """What is planted there: letters and digits, so that no escape hides it."""
        if place not in self.planted:
            self.planted[place] = f"canary{uuid4().hex}{len(self.planted)}end"
        return self.planted[place]

    def found_in(self, text: str) -> set[str]:
        """The places whose canary is in this text, also where somebody has encoded it."""
        text += unquote(text)
        return {place for place, canary in self.planted.items() if _core(canary) in text}


def _core(canary: str) -> str:
    """Enough to recognise it by, where it was cut."""
    return canary[6:30]


@dataclass(slots=True)
class Sinks:
    """What one stack has written, by sink; `answers` are those to others than who sent it."""

    team: Stack
    log: io.StringIO
    traces: TraceReceiver
    redis_url: str
    answers: list[str] = field(default_factory=list)

    async def texts(self) -> dict[str, str]:
        """All of them as text."""
        return {
            "log": self.log.getvalue(),
            "metrics": await self._metrics(),
            "traces": "\n".join(map(repr, self.traces.spans)),
            "explanations": await self._explanations(),
            "admin API": await self._admin(),
            "archive": self._files(),
            "redis": await self._redis(),
            "other tenants": "\n".join(self.answers),
        }

    async def get(self, path: str, **headers: str) -> str:
        """An answer of the data plane, as it came."""
        url = f"{self.team.process.data_url}{path}"
        async with self.team.http.get(url, headers=headers) as answer:
            return f"{answer.headers}\n{await answer.text()}"

    async def _metrics(self) -> str:
        async with self.team.http.get(f"{self.team.process.admin_url}/metrics") as answer:
            assert answer.status == 200
            return await answer.text()

    async def admin_text(self, path: str) -> str:
        """An answer of the admin API to its owner."""
        url = f"{self.team.process.admin_url}/admin/v1/{path}"
        async with self.team.http.get(url, headers=OWNER) as answer:
            return await answer.text()

    async def _explanations(self) -> str:
        ids = {each.request_id for each in self.team.receipts.kept if each.tenant}
        return "\n".join([await self.admin_text(f"explain/{each}") for each in ids])

    async def _admin(self) -> str:
        team = f"team-{self.team.suffix}"
        paths = (
            *("me", "tenants", "admins", "audit", "audit/verify", "deployments", "logs", "cache"),
            *("usage?group_by=tenant", f"ledger?tenant={team}"),
            *(f"tenants/{team}{part}" for part in ("", "/keys", "/limits")),
        )
        return "\n".join([await self.admin_text(path) for path in paths])

    def _files(self) -> str:
        ledger = self.team.process.current.settings.ledger
        assert ledger is not None
        files = [path for path in Path(ledger.archive).rglob("*") if path.is_file()]
        assert files, "there is an archive to be searched"
        return "\n".join(f"{path}\n{path.read_bytes().decode('latin-1')}" for path in files)

    async def _redis(self) -> str:
        """Every key and value, whatever its kind."""
        async with Redis.from_url(self.redis_url) as redis:
            found = [f"{key!r} {await _value(redis, key)!r}" async for key in redis.scan_iter()]
        assert found
        return "\n".join(found)


async def _value(redis: Any, key: bytes) -> object:
    match await redis.type(key):
        case b"string":
            return await redis.get(key)
        case b"hash":
            return await redis.hgetall(key)
        case b"list":
            return await redis.lrange(key, 0, -1)
        case b"set":
            return await redis.smembers(key)
        case b"zset":
            return await redis.zrange(key, 0, -1, withscores=True)
        case b"stream":
            return await redis.xrange(key)
        case kind:
            raise AssertionError(kind)


@asynccontextmanager
async def redis_user(redis_url: str, password: str) -> AsyncIterator[str]:
    """A URL with a password, of a user who may do everything."""
    async with Redis.from_url(redis_url) as client:
        redis: Any = client
        name = f"user{uuid4().hex[:8]}"
        await redis.execute_command(
            "ACL", "SETUSER", name, "on", f">{password}", "~*", "&*", "+@all"
        )
        try:
            scheme, _, rest = redis_url.partition("://")
            yield f"{scheme}://{name}:{password}@{rest}"
        finally:
            await redis.execute_command("ACL", "DELUSER", name)
