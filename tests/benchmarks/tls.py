"""What TLS costs a request on an open connection, and a connection, over sockets of this machine.

Processor time of the server alone: the client is a process of its own. A figure is the least of
many rounds. `python -m tests.benchmarks.tls`.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import uvloop

from app.api.call import DataPlaneLimits
from app.api.certificate import Certificate
from app.api.data_plane import DataPlane
from app.api.listener import ConnectionLimits, bind
from app.api.plane_server import serving_plane
from app.api.readiness import Readiness
from app.api.tls import TlsFiles
from app.gateway import Gateway
from app.ports import Call, Reply
from tests.fakes.certificates import Authority

_ROUNDS: Final = 20
_REQUESTS: Final = 300
_CONNECTIONS: Final = 40
_BODY: Final = b"x" * 2000
_ANSWER: Final = b"y" * 2000
_REQUEST: Final = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n" + _BODY
)
_LIMITS: Final = DataPlaneLimits(max_body=1 << 20, body_s=30, write_stall_s=30, max_in_flight=4096)

Work = Callable[[tuple[str, int], ssl.SSLContext | None], Awaitable[None]]


class _Answering:
    """A gateway that has the answer."""

    async def handle(self, call: Call, reply: Reply) -> None:
        await call.body()
        await reply.start(200, {"content-length": str(len(_ANSWER))})
        await reply.send(_ANSWER)
        await reply.finish()


async def _requests(address: tuple[str, int], client: ssl.SSLContext | None) -> None:
    reader, writer = await asyncio.open_connection(*address, ssl=client)
    for _ in range(_REQUESTS):
        writer.write(_REQUEST)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(_ANSWER))
    writer.transport.abort()


async def _connections(address: tuple[str, int], client: ssl.SSLContext | None) -> None:
    for _ in range(_CONNECTIONS):
        reader, writer = await asyncio.open_connection(*address, ssl=client)
        writer.write(_REQUEST)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(_ANSWER))
        writer.transport.abort()


def _client(pipe: Any, address: tuple[str, int], authority: str) -> None:
    """Do each work that is asked for, with TLS or without, until there is none."""
    client = ssl.create_default_context(cafile=authority)
    works: tuple[Work, ...] = (_requests, _connections)
    while (asked := pipe.recv()) is not None:
        number, is_encrypted = asked
        uvloop.run(cast("Any", works[number](address, client if is_encrypted else None)))
        pipe.send(None)


@asynccontextmanager
async def _served(certificate: Certificate | None, authority: Path) -> AsyncIterator[Any]:
    plane = DataPlane(lambda: cast("Gateway", _Answering()), Readiness(), lambda: _LIMITS)
    listener = bind("127.0.0.1", 0)
    tls = certificate.context if certificate else None
    async with serving_plane(plane, listener, ConnectionLimits(), tls):
        here, there = get_context("spawn").Pipe()
        arguments = there, listener.getsockname(), str(authority)
        process = get_context("spawn").Process(target=_client, args=arguments, daemon=True)
        process.start()
        yield partial(_least_us, here, certificate is not None)
        here.send(None)
        await asyncio.to_thread(process.join)


async def _least_us(pipe: Any, is_encrypted: bool, number: int, times: int) -> float:  # noqa: FBT001  # bound above
    found = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        pipe.send((number, is_encrypted))
        while not pipe.poll():
            await asyncio.sleep(0.005)
        pipe.recv()
        found.append(time.process_time() - began)
    return 1e6 * min(found) / times


async def _main() -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        authority = Authority(directory)
        for path, content in zip(
            ("tls.crt", "tls.key"), authority.issued("127.0.0.1"), strict=True
        ):
            (directory / path).write_bytes(content)
        files = TlsFiles("tls", directory / "tls.crt", directory / "tls.key")
        told: dict[str, list[float]] = {"a request": [], "a connection with one": []}
        for certificate in (None, Certificate(files)):
            async with _served(certificate, authority.path) as least:
                told["a request"].append(await least(0, _REQUESTS))
                told["a connection with one"].append(await least(1, _CONNECTIONS))
    for what, (clear, encrypted) in told.items():
        more = encrypted - clear
        sys.stdout.write(
            f"{what:25} {clear:7.1f} us, with TLS {encrypted:7.1f}: {more:6.1f} more\n"
        )


def main() -> None:
    """Measure, and print."""
    uvloop.run(_main())


if __name__ == "__main__":
    main()
