"""What a connection does for one request must not touch the next one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from app.adapters.upstream.connection import Common, Connection
from app.adapters.upstream.response import Response
from app.adapters.upstream.target import Origin
from app.errors import UpstreamTimeout

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


class Home:
    """Keeps nothing."""

    def returned(self, connection: Connection) -> None:
        """It can be asked again."""

    def lost(self, connection: Connection) -> None:
        """It is no more."""


class Wire:
    """A transport on which nothing goes anywhere."""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        """Said to nobody."""

    def abort(self) -> None:
        """There is nothing to end."""


def opened() -> Connection:
    loop = asyncio.get_running_loop()
    connection = Connection(Origin("ptu", 80, is_tls=False), Home(), Common(loop))
    connection.connection_made(cast("Any", Wire()))
    return connection


def asked(connection: Connection) -> Response:
    loop = asyncio.get_running_loop()
    response = Response(loop, connection.alarm, loop.time() + 60)
    connection.send(b"", b"", response)
    return response


async def test_a_reader_that_runs_late_takes_no_deadline_of_the_next_request() -> None:
    """A connection is free as soon as an answer is here, before the reader has run."""
    loop, connection = asyncio.get_running_loop(), opened()
    is_here = loop.create_future()

    async def ask_next() -> None:
        await is_here
        await asked(connection).head(loop.time() + 0.02)

    second = asyncio.create_task(ask_next())
    response = asked(connection)
    first = asyncio.create_task(response.head(loop.time() + 60))
    await asyncio.sleep(0)
    is_here.set_result(None)  # so that the next one runs before the first does
    connection.get_buffer(-1)[: len(ANSWER)] = ANSWER
    connection.buffer_updated(len(ANSWER))
    with pytest.raises(UpstreamTimeout):
        await asyncio.wait_for(second, 5)
    await first
    assert response.whole() == b"hi"
