"""What a request costs at the client's side, and a frame of a stream, in processor time.

Each part by itself, in this process and without sockets: HTTP in and out with a stub in place of
the gateway, beside the same by uvicorn's protocol and ASGI; who is calling; reading the body;
passing an answer on; a frame of a stream, from what was read of an upstream to what is written.
A figure is the least of many short rounds, because what else runs on a machine only ever adds.
`python -m tests.benchmarks.edge`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.adapters.identity.directory_keys import DirectoryKeys
from app.adapters.redis.directory import Current
from app.adapters.upstream.read_by_read import ReadByRead
from app.answer import Answer
from app.api.call import DataPlaneLimits, Head
from app.api.connection import Serving
from app.api.data_plane import DataPlane
from app.api.listener import ConnectionLimits
from app.api.readiness import Readiness
from app.api.reply import HttpReply
from app.domain.identity.api_key import ApiKey, digest, mint
from app.domain.identity.directory import KeyEntry, TenantEntry
from app.domain.identity.directory_change import directory_of
from app.gateway import Gateway
from app.observation import Observation
from app.ports import Call, Reply, UpstreamResponse
from app.stages.authentication import Authentication
from app.stages.relay import Relay
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.house import deployment
from tests.fakes.line import FakeLine

_ROUNDS: Final = 60
_TIMES: Final = 200
_CONNECTIONS: Final = 32
_FRAMES: Final = 400
_STREAMS: Final = 8

_KEY: Final = mint(environment="test", id_bytes=bytes(8), secret_bytes=bytes(range(32)))
_PEPPER: Final = b"pepper"
_CHAT: Final = json.dumps(
    {
        "model": "gpt-4o",
        "max_tokens": 200,
        "messages": [{"role": "user", "content": "Tell me of the sea. " * 8}],
    }
).encode()
_MANY: Final = json.dumps(
    {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Tell me of the sea. " * 20}] * 250,
    }
).encode()
_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109}
_CHOICE: Final = {
    "index": 0,
    "message": {"role": "assistant", "content": "wave " * 100},
    "finish_reason": "stop",
}
_TOLD: Final = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o"}
_ANSWER: Final = json.dumps({**_TOLD, "choices": [_CHOICE], "usage": _USAGE}).encode()
_DELTA: Final = {
    "index": 0,
    "delta": {"content": " wave"},
    "logprobs": None,
    "finish_reason": None,
}
_FRAME: Final = (
    b"data: "
    + json.dumps({**_TOLD, "choices": [_DELTA], "usage": None}, separators=(",", ":")).encode()
    + b"\n\n"
)
_HEADERS: Final = {"content-type": "application/json", "content-length": str(len(_ANSWER))}
#: As openai-python 2 sends it.
_REQUEST: Final = (
    f"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway:8080\r\nAccept-Encoding: gzip, deflate"
    f"\r\nConnection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
    f"User-Agent: AsyncOpenAI/Python 2.8.0\r\nX-Stainless-Lang: python\r\n"
    f"X-Stainless-Package-Version: 2.8.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\n"
    f"X-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.7\r\n"
    f"Authorization: Bearer {_KEY}\r\nX-Stainless-Async: async:asyncio\r\n"
    f"x-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n"
    f"Content-Length: {len(_CHAT)}\r\n\r\n"
).encode() + _CHAT
_CHAT_ROUTE: Final = match("POST", "/v1/chat/completions", "")
_LIMITS: Final = DataPlaneLimits(max_body=1 << 24, body_s=30, write_stall_s=30, max_in_flight=4096)


class _Transport:
    """Counts what is written."""

    def __init__(self) -> None:
        self.writes = 0
        self.bytes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.bytes += len(data)

    def get_extra_info(self, _name: str) -> None:
        """Nothing is known."""

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""


class _StubGateway:
    """Reads the body and answers."""

    async def handle(self, call: Call, reply: Reply) -> None:
        await call.body()
        await reply.start(200, _HEADERS)
        await reply.send(_ANSWER)
        await reply.finish()


async def _asgi(_scope: object, receive: Any, send: Any) -> None:
    """The same for ASGI."""
    await receive()
    headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER})


class _Stream(ReadByRead):
    """An upstream's stream of which every read gives one frame."""

    status = 200
    headers: Final = {"content-type": "text/event-stream"}

    def __init__(self, frames: int) -> None:
        self._left = frames

    async def read(self, _patience_s: float) -> bytes:
        self._left -= 1
        if self._left > 0:
            return _FRAME
        return b"data: [DONE]\n\n" if self._left == 0 else b""


class _Written(FakeLine):
    """A line that keeps nothing."""

    def __init__(self) -> None:
        super().__init__(reads=True)

    def write(self, data: bytes) -> None:
        """It is gone."""


async def _least(work: Callable[[], Awaitable[object]], times: int) -> float:
    """Microseconds of one of so many that are done by `work`."""
    await work()
    rounds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        await work()
        rounds.append(time.process_time() - began)
    return min(rounds) / times * 1e6


async def _http(protocols: list[asyncio.Protocol]) -> tuple[float, float]:
    """Microseconds of one request, and writes."""
    transports = [_Transport() for _ in protocols]
    for protocol, transport in zip(protocols, transports, strict=True):
        protocol.connection_made(cast("asyncio.BaseTransport", transport))

    async def all_once() -> None:
        before = sum(each.bytes for each in transports)
        for protocol in protocols:
            protocol.data_received(_REQUEST)
        while sum(each.bytes for each in transports) < before + len(protocols) * len(_ANSWER):
            await asyncio.sleep(0)

    took = await _least(all_once, len(protocols))
    writes = sum(each.writes for each in transports) / len(protocols) / (_ROUNDS + 1)
    for protocol in protocols:
        protocol.connection_lost(None)
    return took, writes


def _own() -> list[asyncio.Protocol]:
    plane = DataPlane(lambda: cast("Gateway", _StubGateway()), Readiness(), lambda: _LIMITS)
    serving = Serving(plane, ConnectionLimits())
    state = ServerState()
    return [serving.connection(server_state=state) for _ in range(_CONNECTIONS)]


def _uvicorns() -> list[asyncio.Protocol]:
    config = uvicorn.Config(_asgi, access_log=False, log_config=None, lifespan="off", ws="none")
    config.load()
    state = ServerState()
    return [HttpToolsProtocol(config, state, {}) for _ in range(_CONNECTIONS)]


class _Store:
    def __init__(self) -> None:
        parsed = ApiKey.parse(_KEY)
        assert parsed is not None
        entry = KeyEntry(parsed.id, "search", digest(_PEPPER, _KEY).hex())
        self.in_force = Current(directory_of((TenantEntry("search"), entry), 1), _PEPPER)


async def _caller() -> float:
    stage = Authentication(DirectoryKeys(_Store(), FakeClock()))
    headers = {"authorization": f"Bearer {_KEY}", "content-type": "application/json"}

    async def often() -> None:
        for _ in range(_TIMES):
            await stage.principal(headers)

    return await _least(often, _TIMES)


async def _read(body: bytes) -> float:
    times = max(1, _TIMES * len(_CHAT) // len(body))

    async def often() -> None:
        for _ in range(times):
            read_request(_CHAT_ROUTE, body)

    return await _least(often, times)


def _reply() -> HttpReply:
    line = _Written()
    plane = DataPlane(lambda: cast("Gateway", None), Readiness(), lambda: _LIMITS)
    return HttpReply(plane.call(Head("POST", "/v1/chat/completions", "", {}), line))


async def _whole() -> float:
    relay, request = Relay(), read_request(_CHAT_ROUTE, _CHAT)
    clock, asked, call = FakeClock(), deployment("paygo"), FakeCall()
    headers = {"content-type": "application/json", "content-length": str(len(_ANSWER))}
    kept = [(Observation(call, clock), _reply()) for _ in range(_TIMES)]

    async def often() -> None:
        for observation, reply in kept:
            observation.meter.usage = None
            answer = Answer(asked, request, 200, headers, head=_ANSWER)
            await relay.pass_on(answer, reply, observation)

    return await _least(often, _TIMES)


async def _frame() -> float:
    relay, clock, asked = Relay(), FakeClock(), deployment("paygo")
    request = read_request(_CHAT_ROUTE, b'{"model":"m","stream":true}')

    async def stream() -> None:
        rest = cast("UpstreamResponse", _Stream(_FRAMES))
        answer = Answer(asked, request, 200, _Stream.headers, rest=rest, frames=[_FRAME])
        await relay.pass_on(answer, _reply(), Observation(FakeCall(), clock))

    async def several() -> None:
        for _ in range(_STREAMS):
            await stream()

    return await _least(several, _STREAMS * _FRAMES)


async def _main() -> None:
    rows: list[tuple[str, float, str]] = []
    for name, protocols in (("HTTP in and out", _own()), ("the same by uvicorn", _uvicorns())):
        took, writes = await _http(protocols)
        rows.append((name, took, f"{writes:.0f} writes"))
    rows.append(("who is calling", await _caller(), ""))
    rows.append(("the body of a request", await _read(_CHAT), f"{len(_CHAT)} bytes"))
    rows.append(("one of 250 messages", await _read(_MANY), f"{len(_MANY)} bytes"))
    rows.append(("an answer passed on", await _whole(), f"{len(_ANSWER)} bytes"))
    rows.append(("a frame passed on", await _frame(), f"{len(_FRAME)} bytes"))
    for name, took, more in rows:
        sys.stdout.write(f"{name:25} {took:8.2f} us  {more}\n")


def main() -> None:
    """Print a table."""
    uvloop.run(_main())


if __name__ == "__main__":
    main()
