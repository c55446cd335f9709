"""Posts to one host, answers cut at a bound; what it says in words is not passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx2

from app.adapters.content_safety.azure import Answer, Post

#: A verdict has some hundred bytes.
_MOST_BYTES: Final = 64 * 1024
#: The gateway waits less: each request has its own time-out.
_TIMEOUT_S: Final = 60.0
_CONNECTIONS: Final = 64


@asynccontextmanager
async def posting(endpoint: str) -> AsyncIterator[Post]:
    """Posts to this endpoint for as long as the scope is open."""
    limits = httpx2.Limits(max_connections=_CONNECTIONS)
    async with httpx2.AsyncClient(
        base_url=endpoint,
        timeout=_TIMEOUT_S,
        limits=limits,
        follow_redirects=False,
        trust_env=False,
    ) as client:

        async def post(path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
            plain = {"content-type": "application/json", "accept-encoding": "identity"}
            try:
                async with client.stream(
                    "POST", path, content=body, headers={**plain, **headers}
                ) as answer:
                    data = b""
                    async for part in answer.aiter_raw():
                        data += part
                        if len(data) > _MOST_BYTES:
                            break
                    wait = _seconds(answer.headers.get("retry-after"))
                    return Answer(answer.status_code, wait, data)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise OSError(type(error).__name__) from None  # its text may name what was sent

        yield post


def _seconds(value: str | None) -> float | None:
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
