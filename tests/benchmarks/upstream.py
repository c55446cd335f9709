"""What speaking HTTP to an upstream costs, in processor time of the process that does it.

Our own client, the same over aiohttp, and as a floor a protocol that parses nothing: it writes the
same bytes, waits until as many have come as an answer has, and cuts nothing apart. The upstream is
another process that answers at once with bytes it made before. Ways take short turns, in another
order each time; a figure is a low quantile of a way's turns, because what else runs on a machine
only ever adds. `python -m tests.benchmarks.upstream`.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, cast

import uvloop

from app.adapters.azure.deployments import Transport
from app.adapters.upstream import HttpTransport
from app.domain.routing.deployment import Timeouts
from tests.fakes.aiohttp_transport import AiohttpTransport

_TURNS: Final = 16
_AT_ONCE: Final = 32
_REQUESTS: Final = 100  # by each, in a turn
_STREAMS: Final = 64
_FRAMES: Final = 200  # of each stream
_FRAME_EVERY_S: Final = 0.005
_US: Final = 1e6
_TIMEOUTS: Final = Timeouts()
_REQUEST: Final = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Tell me of the sea."}]}'
_SENT: Final = {"content-type": "application/json", "api-key": "k" * 32}
_PATH: Final = "/openai/v1/chat/completions"

#: What Azure sends beside an answer (recorded 2024 to 2026), with values of its lengths.
_AZURE: Final = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "Content-Type": "application/json",
        "apim-request-id": "bb943c68-19ab-4a76-9df4-6d4d3fe01fd2",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
        "X-Content-Type-Options": "nosniff",
        "x-ms-region": "North Central US",
        "x-ratelimit-remaining-requests": "79",
        "x-ratelimit-limit-requests": "80",
        "x-ratelimit-remaining-tokens": "61353",
        "x-ratelimit-limit-tokens": "80000",
        "x-accel-buffering": "no",
        "x-ms-rai-invoked": "true",
        "x-request-id": "3a8b2a9b-6d0d-4f0a-9a0d-2c1f2a7f7c7d",
        "x-ms-client-request-id": "bb943c68-19ab-4a76-9df4-6d4d3fe01fd2",
        "azureml-model-session": "d008-20240215231538",
        "Date": "Sat, 21 Nov 2026 12:00:00 GMT",
    }.items()
)
_BODY: Final = b'{"choices":[{"message":{"content":"' + b"wave " * 100 + b'"}}]}'
_FRAME: Final = b'data: {"choices":[{"delta":{"content":" wave"},"index":0}],"id":"chatcmpl-1"}\n\n'


def _answer(fields: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\n{fields}Content-Length: {len(_BODY)}\r\n\r\n"
    return head.encode() + _BODY


_ANSWERS: Final = {
    "/few": _answer("Content-Type: application/json\r\n"),
    _PATH: _answer(_AZURE),
}
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_CHUNK: Final = b"%x\r\n%b\r\n" % (len(_FRAME), _FRAME)


class _Streams:
    """All of a turn, in step: what comes at once is then read at once, as on a busy machine."""

    def __init__(self) -> None:
        self._open: list[asyncio.Transport] = []

    def begin(self, transport: asyncio.Transport) -> None:
        transport.write(_STREAM_HEAD)
        self._open.append(transport)
        if len(self._open) == _STREAMS:
            streams, self._open = self._open, []
            asyncio.get_running_loop().call_later(0.1, self._frame, streams, _FRAMES)

    def _frame(self, streams: list[asyncio.Transport], left: int) -> None:
        for transport in streams:
            if not transport.is_closing():
                transport.write(_CHUNK if left else b"0\r\n\r\n")
        if left:
            loop = asyncio.get_running_loop()
            loop.call_later(_FRAME_EVERY_S, self._frame, streams, left - 1)


class _Upstream(asyncio.Protocol):
    """Answers a request that comes in one piece; a GET with a stream."""

    streams = _Streams()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET"):
            self.streams.begin(self._transport)
            return
        path = data[5 : data.index(b" ", 5)].decode()
        self._transport.write(_ANSWERS[path])


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Upstream, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().connect_read_pipe(_UntilClosed, sys.stdin)
    await server.serve_forever()


class _UntilClosed(asyncio.Protocol):
    def connection_lost(self, exc: Exception | None) -> None:
        asyncio.get_running_loop().stop()


@asynccontextmanager
async def _upstream() -> AsyncIterator[str]:
    serving = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __spec__.name, "serve", stdin=PIPE, stdout=PIPE
    )
    assert serving.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await serving.stdout.readline())}"
    finally:
        serving.terminate()
        await serving.wait()


class _Bare(asyncio.Protocol):
    """A connection of the floor."""

    def __init__(self) -> None:
        self._came = 0
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        if self._waiter is not None and self._came >= self._wanted and not self._waiter.done():
            self._waiter.set_result(None)

    async def ask(self, request: bytes, wanted: int) -> None:
        self._came, self._wanted = 0, wanted
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._waiter

    async def more(self) -> int:
        """How many bytes came since it was last asked."""
        if not self._came:
            self._wanted = 1
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        came, self._came = self._came, 0
        return came


def _request(line: str, url: str) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in _SENT.items())
    host = url.removeprefix("http://")
    head = f"{line} HTTP/1.1\r\nhost: {host}\r\n{fields}content-length: {len(_REQUEST)}\r\n\r\n"
    return head.encode() + _REQUEST


async def _connected(url: str) -> _Bare:
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(_Bare, host, int(port)))[1]


async def _bare_requests(url: str, path: str) -> float:
    lines = [await _connected(url) for _ in range(_AT_ONCE)]
    request, wanted = _request(f"POST {path}", url), len(_ANSWERS[path])

    async def one(line: _Bare) -> None:
        for _ in range(_REQUESTS):
            await line.ask(request, wanted)

    spent = await _spent(lambda: asyncio.gather(*map(one, lines)))
    for line in lines:
        line._transport.abort()  # noqa: SLF001  # this file's own
    return spent / (_AT_ONCE * _REQUESTS)


async def _bare_streams(url: str) -> float:
    lines = [await _connected(url) for _ in range(_STREAMS)]
    reads = 0

    async def one(line: _Bare) -> None:
        nonlocal reads
        await line.ask(_request("GET /stream", url), len(_STREAM_HEAD))
        await line.more()
        left = _FRAMES * len(_CHUNK)
        while left > 0:
            left -= await line.more()
            reads += 1

    spent = await _spent(lambda: asyncio.gather(*map(one, lines)))
    for line in lines:
        line._transport.abort()  # noqa: SLF001  # this file's own
    return spent / reads


async def _requests(transport: Transport, url: str, path: str) -> float:
    async def one() -> None:
        for _ in range(_REQUESTS):
            answer = await transport.send(
                "POST", f"{url}{path}", _SENT, _REQUEST, timeouts=_TIMEOUTS
            )
            while await answer.read(60.0):
                pass
            answer.close()

    await asyncio.gather(*(_warm(transport, f"{url}{path}") for _ in range(_AT_ONCE)))
    spent = await _spent(lambda: asyncio.gather(*(one() for _ in range(_AT_ONCE))))
    return spent / (_AT_ONCE * _REQUESTS)


async def _warm(transport: Transport, url: str) -> None:
    answer = await transport.send("POST", url, _SENT, _REQUEST, timeouts=_TIMEOUTS)
    while await answer.read(60.0):
        pass


async def _streams(transport: Transport, url: str) -> float:
    reads = 0

    async def one() -> None:
        nonlocal reads
        answer = await transport.send("GET", f"{url}/stream", _SENT, b"", timeouts=_TIMEOUTS)
        while await answer.read(15.0):
            reads += 1
        answer.close()

    await asyncio.gather(*(_warm(transport, f"{url}/few") for _ in range(_STREAMS)))
    spent = await _spent(lambda: asyncio.gather(*(one() for _ in range(_STREAMS))))
    return spent / reads


async def _spent(work: Callable[[], Awaitable[object]]) -> float:
    before = time.process_time()
    await work()
    return (time.process_time() - before) * _US


async def _measure(names: list[str]) -> None:
    async with AsyncExitStack() as open_, _upstream() as url:
        own = await open_.enter_async_context(HttpTransport())
        over_aiohttp = await open_.enter_async_context(AiohttpTransport())
        subjects: dict[str, dict[str, Callable[[], Awaitable[float]]]] = {
            name: {
                "floor": partial(_bare_requests, url, path),
                "own": partial(_requests, own, url, path),
                "aiohttp": partial(_requests, over_aiohttp, url, path),
            }
            for name, path in (("small answer", "/few"), ("Azure's headers", _PATH))
        }
        subjects["read of a stream"] = {
            "floor": partial(_bare_streams, url),
            "own": partial(_streams, own, url),
            "aiohttp": partial(_streams, over_aiohttp, url),
        }
        for subject in names or subjects:
            figures = await _turns(subjects[subject])
            told = ", ".join(f"{way} {figure:.1f}" for way, figure in figures.items())
            print(f"{subject}: {told} us")  # noqa: T201  # its figures are what it is for


async def _turns(ways: dict[str, Callable[[], Awaitable[float]]]) -> dict[str, float]:
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(_TURNS):
        for way in random.sample(list(ways), len(ways)):
            found[way].append(await ways[way]())
    return {way: statistics.quantiles(each, n=10)[0] for way, each in found.items()}


if __name__ == "__main__":
    uvloop.run(_serve() if sys.argv[1:] == ["serve"] else _measure(sys.argv[1:]))
