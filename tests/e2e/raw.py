"""HTTP by hand: requests that no client library would send, and what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.stack import DEADLINE_S, Stack

CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came; header names in lower case, a repeated one by its last value."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a refusal."""
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error


def request(
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = CHAT_PATH,
    headers: tuple[tuple[str, str], ...] = (),
    length: int | None = None,
) -> bytes:
    """One request's bytes; `length` lies about the body's."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway"]
    lines += [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() == "transfer-encoding" for name, _ in headers):
        lines.append(f"content-length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chat(**fields: Any) -> bytes:
    """A chat completion's body."""
    usual = {"model": "gpt-4o", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps(usual | fields).encode()


@asynccontextmanager
async def connected(
    team: Stack,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the data plane, dropped at the end."""
    host, port = team.process.data_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def exchange(team: Stack, payload: bytes) -> RawAnswer:
    """Send bytes, whether all are taken or not, and read one answer of known length."""
    async with asyncio.timeout(DEADLINE_S), connected(team) as (reader, writer):
        writer.write(payload)
        return await read_answer(reader)


async def read_answer(reader: asyncio.StreamReader) -> RawAnswer:
    """The next answer of a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return RawAnswer(int(first.split(" ")[1]), headers, body)
