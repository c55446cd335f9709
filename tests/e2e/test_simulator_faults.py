from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from app.simulator.deployment import SimulatedDeployment
from app.simulator.server import serve_simulator
from tests.fakes.changed import replace

CHAT = SimulatedDeployment(
    name="chat",
    kind="paygo",
    model="gpt-4o",
    deployment="gpt-4o",
    api="v1",
    api_key=None,
    ptus=None,
    tpm=None,
    rpm=None,
    input_tpm_per_ptu=0,
    output_ratio=0,
    ttft_ms=0,
    tpot_ms=0,
)
PATH = "/chat/openai/v1/chat/completions"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
ASK = {"model": "gpt-4o", "messages": HELLO, "max_tokens": 100}
STREAM = {**ASK, "stream": True}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serve_simulator([CHAT]) as base:
        yield base


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
async def sdk(url: str) -> AsyncIterator[AsyncOpenAI]:
    base = f"{url}/chat/openai/v1"
    async with AsyncOpenAI(base_url=base, api_key="any", max_retries=0, timeout=120) as client:
        yield client


async def arm(http: httpx2.AsyncClient, **fault: object) -> None:
    (await http.post("/_sim/faults", json=fault)).raise_for_status()


async def last_row(http: httpx2.AsyncClient) -> dict[str, Any]:
    row: dict[str, Any] = (await http.get("/_sim/ledger")).json()["served"][-1]
    return row


def contents(text: str) -> list[str]:
    """The pieces of content in a stream's text, as far as it got."""
    frames: Iterable[str] = (line[6:] for line in text.splitlines() if line.startswith("data: {"))
    choices = [choice for frame in frames for choice in json.loads(frame).get("choices", [])]
    return [content for each in choices if (content := each["delta"].get("content"))]


async def read_until_broken(http: httpx2.AsyncClient, body: dict[str, Any]) -> tuple[str, bool]:
    """The text of an answer, and whether it ended before its end."""
    received = b""
    try:
        async with http.stream("POST", PATH, json=body) as reply:
            async for part in reply.aiter_bytes():
                received += part
    except httpx2.RemoteProtocolError:
        return received.decode(), True
    return received.decode(), False


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (408, "Timeout"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (401, "401"),
        (429, "429"),
    ],
)
async def test_a_status_with_its_usual_body(
    status: int, code: str, http: httpx2.AsyncClient
) -> None:
    """A status is answered as the service would, and uses nothing up."""
    await arm(http, status=status, headers={"retry-after": "7"})
    reply = await http.post(PATH, json=ASK)

    assert reply.status_code == status
    assert reply.json()["error"]["code"] == code
    assert reply.headers["retry-after"] == "7"
    row = await last_row(http)
    assert row["status"] == status
    assert row["outcome"] == ("refused" if status == 429 else "error")
    assert row["input_tokens"] == row["output_tokens"] == 0


async def test_any_body_of_any_type(http: httpx2.AsyncClient) -> None:
    """A proxy's page of HTML, say, with status 200."""
    await arm(http, body="<html>hello</html>", content_type="text/html")
    reply = await http.post(PATH, json=ASK)

    assert (reply.status_code, reply.text) == (200, "<html>hello</html>")
    assert reply.headers["content-type"] == "text/html"


async def test_a_fault_is_met_as_often_as_it_says(http: httpx2.AsyncClient) -> None:
    """Once unless told; a reset takes away what is left."""
    await arm(http, status=500)
    assert [(await http.post(PATH, json=ASK)).status_code for _ in range(2)] == [500, 200]

    await arm(http, status=503, times=-1, deployment="chat")
    assert [(await http.post(PATH, json=ASK)).status_code for _ in range(3)] == [503] * 3
    await http.post("/_sim/reset")
    assert (await http.get("/_sim/ledger")).json()["served"] == []
    assert (await http.post(PATH, json=ASK)).status_code == 200


async def test_a_delay_comes_before_the_headers(http: httpx2.AsyncClient) -> None:
    """The client waits for the first byte."""
    await arm(http, delay_ms=150)
    began = time.monotonic()
    async with http.stream("POST", PATH, json=STREAM):
        assert time.monotonic() - began >= 0.15


@pytest.mark.parametrize("chunks", [0, 1, 5])
async def test_a_stream_is_cut(chunks: int, http: httpx2.AsyncClient) -> None:
    """So many chunks with content arrive and then the connection breaks, inside the message."""
    await arm(http, cut_after_chunks=chunks)
    text, broken = await read_until_broken(http, STREAM)

    assert broken
    assert len(contents(text)) == chunks
    row = await last_row(http)
    assert (row["outcome"], row["output_tokens"], row["status"]) == ("error", chunks, 200)


async def test_a_cut_stream_is_a_connection_error_to_the_sdk(
    http: httpx2.AsyncClient, sdk: AsyncOpenAI
) -> None:
    """What the simulator breaks, the SDK does not take for a short answer."""
    await arm(http, cut_after_chunks=2)
    stream = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        _ = [chunk async for chunk in stream]


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_bytes_are_cut(body: dict[str, Any], http: httpx2.AsyncClient) -> None:
    """The cut may fall anywhere, in the middle of a line, too."""
    await arm(http, cut_after_bytes=333)
    text, broken = await read_until_broken(http, body)

    assert broken
    assert len(text) == 333
    assert (await last_row(http))["outcome"] == "error"


async def test_a_whole_answer_is_cut_in_the_middle(http: httpx2.AsyncClient) -> None:
    """An answer that does not stream breaks before its announced length."""
    await arm(http, cut_after_chunks=1)
    text, broken = await read_until_broken(http, ASK)

    assert broken
    assert text.startswith("{")


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_an_answer_stalls(body: dict[str, Any], http: httpx2.AsyncClient) -> None:
    """Nothing more comes until the client gives up, which is then noticed."""
    await arm(http, stall_after_chunks=2)
    with pytest.raises(httpx2.ReadTimeout):
        await http.post(PATH, json=body, timeout=2)

    deadline = time.monotonic() + 20
    while not (served := (await http.get("/_sim/ledger")).json()["served"]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert served[0]["outcome"] == "client_gone"
    if body is STREAM:
        assert served[0]["output_tokens"] == 2


async def test_half_a_close(http: httpx2.AsyncClient) -> None:
    """The sending side ends inside the message while the receiving side stays open."""
    await arm(http, half_close=True)
    text, broken = await read_until_broken(http, STREAM)

    assert broken
    assert len(contents(text)) == 1


async def test_usage_goes_missing(http: httpx2.AsyncClient) -> None:
    """Neither the answer nor the stream that was asked for it has any."""
    await arm(http, usage="missing", times=2)
    whole = await http.post(PATH, json=ASK)
    stream = await http.post(PATH, json={**STREAM, "stream_options": {"include_usage": True}})

    assert "usage" not in whole.json()
    assert '"total_tokens"' not in stream.text
    assert stream.text.endswith("data: [DONE]\n\n")
    assert (await last_row(http))["output_tokens"] > 0


async def test_usage_is_zero(http: httpx2.AsyncClient) -> None:
    """An explicit zero, which is not the same as nothing."""
    await arm(http, usage="zero")
    usage = (await http.post(PATH, json=ASK)).json()["usage"]

    assert usage["prompt_tokens"] == usage["completion_tokens"] == usage["total_tokens"] == 0


@pytest.mark.parametrize("fault", ["in_stream_429", "stream_error_first"])
async def test_the_first_event_is_an_error(
    fault: str, http: httpx2.AsyncClient, sdk: AsyncOpenAI
) -> None:
    """Status 200, and the error where the answer should begin."""
    await arm(http, **{fault: True})
    stream = await sdk.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError):
        _ = [chunk async for chunk in stream]

    row = await last_row(http)
    assert row["status"] == 200
    assert row["outcome"] == ("refused" if fault == "in_stream_429" else "error")


async def test_a_response_stream_is_throttled_on_demand(
    http: httpx2.AsyncClient, sdk: AsyncOpenAI
) -> None:
    """Azure's shape of it, without filling a bucket."""
    await arm(http, in_stream_429=True)
    stream = await sdk.responses.create(model="gpt-4o", input="hi", stream=True)
    assert stream.response.headers["retry-after"] == "1"
    with pytest.raises(openai.APIError) as refused:
        _ = [event async for event in stream]

    assert refused.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_gzip_that_nobody_asked_for(body: dict[str, Any], http: httpx2.AsyncClient) -> None:
    """The body is compressed although only identity was accepted."""
    headers = {"accept-encoding": "identity"}
    plain = await http.post(PATH, json=body, headers=headers)
    await arm(http, gzip=True)
    async with http.stream("POST", PATH, json=body, headers=headers) as reply:
        raw = b"".join([part async for part in reply.aiter_raw()])
    await arm(http, gzip=True)
    unpacked = await http.post(PATH, json=body, headers=headers)

    assert reply.headers["content-encoding"] == "gzip"
    assert raw.startswith(b"\x1f\x8b")
    assert len(unpacked.text) == len(plain.text)


async def test_an_endless_line(http: httpx2.AsyncClient) -> None:
    """More than any buffer should take, without a line end, until the client has enough."""
    await arm(http, endless_line=True)
    received = 0
    async with http.stream("POST", PATH, json=STREAM) as reply:
        async for part in reply.aiter_bytes():
            assert b"\n" not in part
            received += len(part)
            if received > 4 * 2**20:
                break

    deadline = time.monotonic() + 20
    while not (served := (await http.get("/_sim/ledger")).json()["served"]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert served[0]["outcome"] == "client_gone"


async def raw_exchange(url: str, body: dict[str, Any]) -> bytes:
    """Everything the server sends for one request, as it is on the wire."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    payload = json.dumps(body).encode()
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(payload)}\r\n"
    writer.write(head.encode() + b"connection: close\r\n\r\n" + payload)
    received = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return received


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_early_hints_come_first(
    body: dict[str, Any], url: str, http: httpx2.AsyncClient
) -> None:
    """An informational response precedes the real one."""
    await arm(http, early_hints=True)
    wire = await raw_exchange(url, body)

    assert wire.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in wire


@pytest.mark.parametrize("body", [ASK, STREAM])
async def test_trailers_come_last(body: dict[str, Any], url: str, http: httpx2.AsyncClient) -> None:
    """Fields follow the last chunk, and the message is complete."""
    await arm(http, trailers=True)
    wire = await raw_exchange(url, body)

    assert b"trailer: x-simulated-trailer\r\n" in wire
    assert wire.endswith(b"0\r\nx-simulated-trailer: 1\r\n\r\n")
    assert (await last_row(http))["outcome"] == "complete"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (b'{"cut": 1}', "cut"),
        (b'{"deployment": "nowhere"}', "there are: chat"),
        (b"{", "truncated"),
    ],
)
async def test_a_fault_that_would_do_nothing_is_refused(
    fault: bytes, message: str, http: httpx2.AsyncClient
) -> None:
    """A mistake in a test's set-up shows there."""
    reply = await http.post("/_sim/faults", content=fault)

    assert reply.status_code == 400
    assert message in reply.json()["error"]["message"]


async def test_embeddings_hide_their_usage_too() -> None:
    """The fault is for every operation that reports usage."""
    embedding = replace(CHAT, name="emb", model="text-embedding-3-small")
    async with (
        serve_simulator([embedding]) as base,
        httpx2.AsyncClient(base_url=base, timeout=60) as http,
    ):
        await arm(http, usage="missing")
        path = "/emb/openai/v1/embeddings"
        reply = await http.post(path, json={"model": "gpt-4o", "input": "hi"})

    assert "usage" not in reply.json()
