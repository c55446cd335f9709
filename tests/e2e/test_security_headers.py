"""What every answer of both listeners tells browsers and caches, refusals before a request too."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.raw import RawAnswer, chat, read_answer, request
from tests.e2e.stack import Stack, ptu_and_paygo, stack
from tests.e2e.test_workers import ADMIN

_KEY = tuple(ADMIN.items())
#: By what is asked: the answer's status, and the request.
ON_ADMIN = {
    "health": (200, request(path="/healthz", method="GET")),
    "readiness": (200, request(path="/readyz", method="GET")),
    "metrics": (200, request(path="/metrics", method="GET")),
    "a route": (200, request(path="/admin/v1/me", headers=_KEY, method="GET")),
    "its description": (200, request(path="/admin/v1/openapi.json", headers=_KEY, method="GET")),
    "no key": (401, request(path="/admin/v1/me", method="GET")),
    "no such tenant": (404, request(path="/admin/v1/tenants/nobody", headers=_KEY, method="GET")),
    "no such route": (404, request(path="/admin/v1/nothing", headers=_KEY, method="GET")),
    "no such path": (404, request(path="/nothing", method="GET")),
    "another method": (405, request(path="/admin/v1/me", method="DELETE", headers=_KEY)),
    "no request": (400, b"junk\r\n\r\n"),
    "too large a head": (431, request(path="/", headers=(("a", "b" * 1_000_000),))),
}
ON_DATA = {
    "health": (200, request(path="/healthz", method="GET")),
    "an answer": (200, request(chat(), headers=(("api-key", "<key>"),))),
    "a stream": (200, request(chat(stream=True), headers=(("api-key", "<key>"),))),
    "the models": (200, request(path="/v1/models", headers=(("api-key", "<key>"),), method="GET")),
    "no key": (401, request(chat())),
    "no such route": (404, request(path="/nothing", method="GET")),
    "no JSON": (400, request(b"{", headers=(("api-key", "<key>"),))),
    "no request": (400, b"junk\r\n\r\n"),
}


async def _asked(team: Stack, url: str, payload: bytes) -> RawAnswer:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(60):
            writer.write(payload.replace(b"<key>", team.key.encode()))
            return await read_answer(reader)
    finally:
        writer.transport.abort()


async def test_every_answer_has_them(redis_url: str, subtests: pytest.Subtests) -> None:
    """No cache keeps it, no browser guesses its type, and nothing says which server it is."""
    async with stack(redis_url, ptu_and_paygo) as team:
        for url, asked in ((team.process.admin_url, ON_ADMIN), (team.process.data_url, ON_DATA)):
            for what, (status, payload) in asked.items():
                with subtests.test(f"{what} at {url}"):
                    answer = await _asked(team, url, payload)
                    assert answer.status == status
                    assert answer.headers["x-content-type-options"] == "nosniff"
                    assert answer.headers["cache-control"] == "no-store"
                    assert {"server", "x-powered-by"}.isdisjoint(answer.headers)


async def test_the_admin_plane_has_no_cross_origin_answers(redis_url: str) -> None:
    """A page from elsewhere, open in an operator's browser, reads nothing of it."""
    async with stack(redis_url, ptu_and_paygo) as team:
        for method in ("GET", "OPTIONS"):
            headers = (*_KEY, ("origin", "https://evil.example"))
            asked = request(path="/admin/v1/me", method=method, headers=headers)
            answer = await _asked(team, team.process.admin_url, asked)
            assert not [name for name in answer.headers if name.startswith("access-control")]
