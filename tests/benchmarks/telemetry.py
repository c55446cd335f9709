"""What telemetry costs a request, in processor time of a whole gateway process.

A gateway on real sockets and a real Redis, in front of an upstream that answers at once. Ways take
short turns, in another order each time. A figure is a low quantile of a way's turns less that of
"off", because what else runs on a machine only ever adds: of the event loop, which requests share,
and of other threads. What is done later, for many requests at once, is waited for and counted.
Beside it the same of the even and of the odd turns, as a measure of how much it is worth.
`python -m tests.benchmarks.telemetry`.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import aiohttp
from aiohttp import web

from app.adapters.redis.embedded import embedded_redis
from app.cli.key import new_key
from tests.benchmarks.telemetry_gateway import WAYS

_SECONDS: Final = 150.0
#: One after the other, in a turn. A turn before these warms up.
_REQUESTS: Final = 20
#: Spans wait so long for others, and whatever is sent later is sent within the pause.
_DELAY_S: Final = 0.1
_PAUSE_S: Final = 0.12
_STARTS_WITHIN_S: Final = 120
_MODEL: Final = "gpt-4o"
_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109}
_CHAT: Final[dict[str, Any]] = {
    "model": _MODEL,
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "Tell me of the sea."}],
}
_PARTS: Final = (slice(None), slice(None, None, 2), slice(1, None, 2))


def _answer() -> bytes:
    message = {"role": "assistant", "content": "wave " * 100}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    told = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": _MODEL}
    return json.dumps({**told, "choices": [choice], "usage": _USAGE}).encode()


@asynccontextmanager
async def _listening() -> AsyncIterator[str]:
    """An upstream, and a receiver of spans."""
    body = _answer()

    async def chat(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    async def traces(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/traces", traces)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _config(redis: str, others: str, directory: str, key: str) -> dict[str, Any]:
    deployment = {
        "kind": "paygo",
        "api": "openai",
        "endpoint": f"{others}/v1",
        "deployment": _MODEL,
        "model": _MODEL,
        "tpm": 1_000_000_000,
        "auth": {"api_key": "k"},
    }
    return {
        "listen": {"port": 0, "admin_port": 0},
        "redis": {"url": redis, "operation_timeout_ms": 5000},
        "ledger": {"archive": directory},
        "admin": {"key": "an-admin-key-of-a-benchmark"},
        "deployments": {"paygo": deployment},
        "models": {_MODEL: {"tiers": [["paygo"]]}},
        "tenants": {"search": {"keys": [key]}},
        "tracing": {"endpoint": others, "export": {"delay_s": _DELAY_S}},
        "timeouts": {"drain_lag_s": 0},
    }


class Used(NamedTuple):
    """Processor time, microseconds."""

    loop: float
    others: float


class Gateway:
    """The process, and callers of it."""

    def __init__(self, process: Process, http: aiohttp.ClientSession) -> None:
        self._process = process
        self._http = http
        self._url = ""

    async def begin(self, config: Mapping[str, Any]) -> None:
        """Have it serve."""
        self._url = (await self._told(json.dumps(config)))["url"]

    async def used(self, way: str) -> Used:
        """Of one request, of several that are served this way."""
        before = await self._told(way)
        for _ in range(_REQUESTS):
            await self._ask()
        await asyncio.sleep(_PAUSE_S)
        sent = await self._told(way)
        return Used(
            (sent["loop"] - before["loop"]) / _REQUESTS / 1e3,
            (sent["others"] - before["others"]) / _REQUESTS / 1e3,
        )

    async def _ask(self) -> None:
        async with self._http.post(f"{self._url}/v1/chat/completions", json=_CHAT) as answer:
            read = await answer.read()
            assert answer.status == 200, read

    async def _told(self, line: str) -> dict[str, Any]:
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        into.write(f"{line}\n".encode())
        async with asyncio.timeout(_STARTS_WITHIN_S):
            told: dict[str, Any] = json.loads(await out.readline())
        return told


@asynccontextmanager
async def _gateway() -> AsyncIterator[Gateway]:
    key = new_key("test")
    with TemporaryDirectory() as directory:
        async with (
            embedded_redis(Path(directory) / "redis") as redis,
            _listening() as others,
            aiohttp.ClientSession(headers={"api-key": key}) as http,
        ):
            module = (sys.executable, "-m", "tests.benchmarks.telemetry_gateway")
            # Its log is written, and thrown away by the system.
            process = await asyncio.create_subprocess_exec(
                *module, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
            )
            try:
                gateway = Gateway(process, http)
                await gateway.begin(_config(redis.url, others, f"{directory}/ledger", key))
                yield gateway
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def _compare(gateway: Gateway) -> None:
    ways = list(WAYS)
    taken: dict[str, list[Used]] = {way: [] for way in ways}
    for way in ways:
        await gateway.used(way)
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        random.shuffle(ways)
        for way in ways:
            taken[way].append(await gateway.used(way))
    off = taken.pop("off")
    _say(f"off: {_least(off).loop:,.0f} µs ({len(off)} turns)")
    for way, used in taken.items():
        more, even, odd = (_more(used[at], off[at]) for at in _PARTS)
        parts = f"{more.loop:+.0f} µs ({even.loop:+.0f}, {odd.loop:+.0f})"
        _say(f"  {way}: {parts}; other threads {more.others:+.0f} µs")


def _more(used: Sequence[Used], off: Sequence[Used]) -> Used:
    one, other = _least(used), _least(off)
    return Used(one.loop - other.loop, one.others - other.others)


def _least(used: Sequence[Used]) -> Used:
    return Used(*(statistics.quantiles(each, n=8)[0] for each in zip(*used, strict=True)))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    """All figures."""
    async with _gateway() as gateway:
        await _compare(gateway)


if __name__ == "__main__":
    asyncio.run(main())
