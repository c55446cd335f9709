"""The playground against a data plane that says what it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from app.api.console.asking import Done, Failed, Head, Text, ask
from app.domain.identity.directory import Role
from tests.fakes.admin import ADMIN_KEYS, SEARCH_KEY
from tests.fakes.certificates import Authority
from tests.fakes.console import Browser, ConsoleHouse

FRAMES = b"""\
data: {"choices":[{"delta":{"role":"assistant","content":""}}]}

data: {"choices":[{"delta":{"content":"<b>Hel"}}]}

: ping

data: {"choices":[{"delta":{"content":"lo"}}],"usage":null}

data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}

data: [DONE]

"""
OK = (
    b"HTTP/1.1 200 OK\r\nx-request-id: req-search\r\nX-Spillgate-Deployment: ptu\r\n"
    b"content-type: text/event-stream\r\nset-cookie: a=b\r\nconnection: close\r\n\r\n"
)
REFUSED = (
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\nconnection: close\r\n\r\n"
    b'{"error":{"message":"The tenant is over its limit."}}'
)


@asynccontextmanager
async def data_plane(
    answer: bytes, heard: list[bytes], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The address of a server that answers so, once it has heard a whole request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        heard.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        scheme = "https" if tls is not None else "http"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_events_of_an_answer() -> None:
    """Its head with the gateway's headers alone, its text as it comes, what it used."""
    heard: list[bytes] = []
    async with data_plane(OK + FRAMES, heard) as url:
        events = [event async for event in ask(url, "the-key", {"model": "m"})]
    head, *texts, done = events
    assert isinstance(head, Head)
    assert head.headers == {"x-request-id": "req-search", "x-spillgate-deployment": "ptu"}
    assert texts == [Text("<b>Hel"), Text("lo")]
    assert isinstance(done, Done)
    assert done.usage["completion_tokens"] == 2
    assert b"Bearer the-key" in heard[0]
    assert heard[0].startswith(b"POST /v1/chat/completions ")


async def test_a_refusal_is_told_in_the_gateways_words() -> None:
    """And so is a gateway that is not there."""
    async with data_plane(REFUSED, []) as url:
        events = [event async for event in ask(url, "k", {})]
    assert events[-1] == Failed("The tenant is over its limit.")
    async with data_plane(b"", []) as url:
        events = [event async for event in ask(url, "k", {})]
    assert len(events) == 1
    assert isinstance(events[0], Failed)


async def test_our_own_listener_is_asked_whatever_its_certificate_is_for(tmp_path: Path) -> None:
    """Clients know it by another name; where it listens on all addresses, one of them will do."""
    tls = Authority(tmp_path).server("gateway.example")
    async with data_plane(OK + FRAMES, [], tls) as url:
        anywhere = url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104  # nothing is bound here
        events = [event async for event in ask(anywhere, "k", {})]
    assert Text("lo") in events


async def asked(
    house: ConsoleHouse, act: Callable[[Browser], Any], role: Role = Role.OWNER
) -> tuple[Any, bytes]:
    """What comes of an action while the data plane answers, and what that has heard."""
    heard: list[bytes] = []
    async with data_plane(OK + FRAMES, heard) as url, house.browser(ADMIN_KEYS[role]) as browser:
        house.data_url = url
        found = await act(browser)
    return found, heard[0]


async def test_a_fresh_key_is_there_for_one_question(house: ConsoleHouse) -> None:
    """It is used, shown to nobody, and gone afterwards; the audit log has both."""
    before = dict(house.house.store.current.keys)
    form = {"key_from": "fresh", "tenant": "search", "model": "gpt-4o", "prompt": "Hi"}
    answer, heard = await asked(house, lambda browser: browser.post("/playground", form))
    assert answer.status_code == 200
    assert "&lt;b&gt;Hello" in answer.text
    assert "spg_live_" not in answer.text
    assert b"Bearer spg_live_" in heard
    assert house.house.store.current.keys == before
    assert [record.action for record in house.house.store.records] == ["created", "deleted"]


async def test_a_pasted_key_is_kept_nowhere(house: ConsoleHouse) -> None:
    """A viewer may ask with one; it is in no page."""
    form = {"key_from": "pasted", "key": SEARCH_KEY, "model": "gpt-4o", "prompt": "Hi"}
    answer, heard = await asked(
        house, lambda browser: browser.post("/playground", form), Role.VIEWER
    )
    assert SEARCH_KEY not in answer.text
    assert SEARCH_KEY.encode() in heard
    assert "Explain the request" in answer.text


async def test_the_script_gets_events_line_by_line(house: ConsoleHouse) -> None:
    """The last one is why it went where it went."""
    form = {"key_from": "pasted", "key": "k", "model": "gpt-4o", "prompt": "Hi"}
    headers = {"x-console-stream": "yes"}
    answer, _ = await asked(
        house, lambda browser: browser.post("/playground", form, headers=headers)
    )
    events = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [next(iter(event)) for event in events] == ["head", "text", "text", "done", "why"]
    assert events[-1]["why"]


async def test_a_question_that_cannot_be_asked_is_refused(owner: Browser) -> None:
    """Before a key is made for it."""
    form = {"key_from": "fresh", "tenant": "search", "model": "gpt-4o", "prompt": "Hi"}
    for wrong in ({"model": ""}, {"prompt": ""}, {"max_tokens": "many"}, {"key_from": "pasted"}):
        assert (await owner.post("/playground", form | wrong)).status_code == 400
    assert (await owner.post("/playground", form | {"tenant": "nobody"})).status_code == 404
