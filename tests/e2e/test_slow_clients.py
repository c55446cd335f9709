"""Clients that drip: a limit on headers and on the body, and the others served meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.e2e.stack import Stack, ptu_and_paygo, stack


def _impatient(suffix: str) -> dict[str, Any]:
    return ptu_and_paygo(suffix) | {
        "timeouts": {"header_s": 1, "body_s": 1, "drain_lag_s": 0, "drain_s": 1}
    }


async def _connected(team: Stack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = team.process.data_url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def test_headers_that_never_end_lose_their_connection(redis_url: str) -> None:
    """Uvicorn alone would wait for ever."""
    async with stack(redis_url, _impatient) as team:
        reader, writer = await _connected(team)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-drip: ")
        async with asyncio.timeout(20):
            assert await _rest(reader) == b""
        writer.close()
        assert (await team.openai().models.list()).data


async def test_a_body_that_never_ends_is_told_so(redis_url: str) -> None:
    """408 in OpenAI's shape."""
    async with stack(redis_url, _impatient) as team:
        reader, writer = await _connected(team)
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n"
        writer.write(f"{head}api-key: {team.key}\r\n\r\n{{".encode())
        async with asyncio.timeout(20):
            answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
