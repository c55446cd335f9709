"""HTTP that two readers may understand differently is refused, or read in one way: never as two.

Each class is sent over a real connection to the data plane, in front of deployments that note what
they are asked, and to the admin plane's server in front of an application that does. Behind each
comes a request that nobody may serve.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.api.listener import ConnectionLimits, bind
from app.api.server import serving
from tests.e2e.http_classes import (
    CLASSES,
    KEY,
    READ,
    REFUSED,
    SMUGGLED,
    SMUGGLED_TOKENS,
    HttpClass,
)
from tests.e2e.stack import ptu_and_paygo, stack

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_PROBE = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class Application:
    """An ASGI application that notes the bodies it is given."""

    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        if scope["path"] != "/healthz":
            self.bodies.append(body)
        length = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"ok"})


def test_there_are_many_classes() -> None:
    """Sixty at least are refused, each by a name of its own."""
    assert len(REFUSED) >= 60
    assert len({each.name for each in CLASSES}) == len(CLASSES)


async def test_the_data_plane_never_reads_two(redis_url: str, subtests: pytest.Subtests) -> None:
    """A refusal asks no deployment; what is read asks one at most, and never for what is hidden."""
    async with stack(redis_url, ptu_and_paygo) as team:
        address = team.process.data_url.removeprefix("http://").split(":")
        for each in REFUSED:
            with subtests.test(each.name):
                _looks_right(each, await _told(address, _last(each, team.key)), each.status)
        assert await team.served() == []
        for each in READ:
            with subtests.test(each.name):
                await team.reset()
                _looks_right(each, await _told(address, _last(each, team.key)), each.status)
                rows = await team.served()
                assert len(rows) == (each.status == 200)
                assert SMUGGLED_TOKENS not in {row["max_tokens"] for row in rows}
        for each in READ:
            if not each.is_last:
                with subtests.test(f"{each.name}: its end"):
                    await _ends_in_time(address, each, team.key, each.status)


async def test_the_admin_plane_never_reads_two(subtests: pytest.Subtests) -> None:
    """The same classes have the same refusals; what is read is one request."""
    async with _admin() as (address, app):
        for each in CLASSES:
            with subtests.test(each.name):
                app.bodies.clear()
                said = await _told(address, _last(each, KEY))
                _looks_right(each, said, 200 if each.reading else each.status)
                assert len(app.bodies) == (each in READ)
        for each in READ:
            if not each.is_last:
                with subtests.test(f"{each.name}: its end"):
                    await _ends_in_time(address, each, KEY, 200)


@asynccontextmanager
async def _admin() -> AsyncIterator[tuple[list[str], Application]]:
    app, listener = Application(), bind("127.0.0.1", 0)
    address = [str(part) for part in listener.getsockname()]
    async with serving(app, listener, ConnectionLimits()):
        yield address, app


def _last(each: HttpClass, key: str) -> bytes:
    """It and the smuggled request; where it is read, it says that it is the last."""
    sent = each.sent
    if each.reading and not each.is_last:
        sent = sent.replace(b"\r\nAPI-Key:", b"\r\nConnection: close\r\nAPI-Key:", 1)
    return (sent + SMUGGLED).replace(KEY.encode(), key.encode())


async def _told(address: list[str], payload: bytes) -> bytes:
    """All that comes back until the connection is closed, which it is."""
    reader, writer = await asyncio.open_connection(address[0], int(address[1]))
    parts = []
    try:
        writer.write(payload)
        async with asyncio.timeout(60):
            while part := await reader.read(65536):
                parts.append(part)
    except ConnectionError:  # what was not read of the request breaks the connection
        pass
    finally:
        writer.transport.abort()
    return b"".join(parts)


def _statuses(said: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(said) if status != b"100"]


def _looks_right(each: HttpClass, said: bytes, status: int) -> None:
    """One answer; a refusal is in OpenAI's shape, and says that the connection ends."""
    assert _statuses(said) == [status], said[:300]
    if not each.reading:
        head, _, body = said.partition(b"\r\n\r\n")
        assert b"\r\nconnection: close" in head
        assert body.startswith(b'{"error":{')


async def _ends_in_time(address: list[str], each: HttpClass, key: str, status: int) -> None:
    """The next request of the connection begins where this one ends."""
    said = await _told(address, each.sent.replace(KEY.encode(), key.encode()) + _PROBE)
    assert _statuses(said) == [status, 200], said[:300]
