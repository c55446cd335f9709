"""Streams pass byte for byte, at the client's pace, and are counted as the upstream counted."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from app.domain.ledger.completion import Outcome
from app.domain.quota.usage import Usage
from tests.e2e.canned import STREAM_HEAD, canned, lead_to, pieces
from tests.e2e.raw import chat, request
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

MIB = 1024 * 1024
MESSAGE: Any = {"role": "user", "content": "Tell me a story."}
CHAT = {"model": "gpt-4o", "messages": [MESSAGE], "max_tokens": 24}
RESPONSES = {"model": "gpt-4o", "input": "Tell me a story.", "max_output_tokens": 24}
ASKED = {"stream": True, "stream_options": {"include_usage": True}}
DONE = b"data: [DONE]\n\n"
#: What two answers to the same request differ in: ids, and times.
OWN = re.compile(rb'"(?:id|item_id|created|created_at|completed_at)":\s*(?:"[^"]*"|\d+(?:\.\d+)?)')


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def comparable(self) -> bytes:
        """The body without what is different each time."""
        return OWN.sub(b"", self.body)

    @property
    def frames(self) -> list[bytes]:
        """Its events."""
        return self.comparable.removesuffix(b"\n\n").split(b"\n\n")


async def post(team: Stack, path: str, body: dict[str, Any]) -> Whole:
    """Through the gateway."""
    return await _post(team.http, team.base_url + path, {"api-key": team.key}, body)


async def direct(team: Stack, path: str, body: dict[str, Any]) -> Whole:
    """Straight at the simulated PAYGO deployment, on Azure's v1 surface."""
    url = f"{team.simulator_url}/{team.name('paygo-a')}/openai/v1{path}"
    return await _post(team.http, url, {"api-key": "k"}, body)


async def _post(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], body: dict[str, Any]
) -> Whole:
    async with http.post(url, json=body, headers=headers) as answer:
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Whole(answer.status, lowered, await answer.read())


def paygo_only(suffix: str) -> dict[str, Any]:
    """One deployment, so that what fails is not served elsewhere."""
    config = ptu_and_paygo(suffix)
    name = f"paygo-a-{suffix}"
    config["deployments"] = {name: config["deployments"][name]}
    config["models"] = {"gpt-4o": {"tiers": [[name]]}}
    return config


def timed(**timeouts: float) -> Callable[[str], dict[str, Any]]:
    """The same with other times, in seconds."""
    return lambda suffix: (
        paygo_only(suffix) | {"timeouts": {"drain_lag_s": 0, "drain_s": 1} | timeouts}
    )


SAME: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/chat/completions", CHAT),
    "chat stream": ("/chat/completions", CHAT | ASKED),
    "chat of three choices": ("/chat/completions", CHAT | ASKED | {"n": 3}),
    "completion": ("/completions", {"model": "gpt-4o", "prompt": "Once"}),
    "completion stream": ("/completions", {"model": "gpt-4o", "prompt": "Once"} | ASKED),
    "response": ("/responses", RESPONSES),
    "response stream": ("/responses", RESPONSES | {"stream": True}),
    "unknown fields": ("/chat/completions", CHAT | ASKED | {"field_of_tomorrow": {"a": [1, "é"]}}),
    "refused content": (
        "/chat/completions",
        CHAT | {"messages": [{"role": "user", "content": "[[content_filter]]"}]},
    ),
    "wrong type": ("/chat/completions", CHAT | {"max_tokens": "many"}),
    "zero": ("/chat/completions", CHAT | {"max_tokens": 0}),
}


async def test_answers_pass_byte_for_byte(redis_url: str, subtests: pytest.Subtests) -> None:
    """The same call straight at the upstream gives the same bytes, but for ids and times."""
    async with stack(redis_url, paygo_only) as team:
        for name, (path, body) in SAME.items():
            with subtests.test(name):
                ours, theirs = await post(team, path, body), await direct(team, path, body)
                assert ours.status == theirs.status
                assert ours.comparable == theirs.comparable
                assert len(ours.body) > 100
                assert ours.headers["content-type"] == theirs.headers["content-type"]


async def test_the_usage_that_only_the_gateway_asked_for_is_taken_out(redis_url: str) -> None:
    """Everything else of that stream is there; the count is in the receipt all the same."""
    async with stack(redis_url, paygo_only) as team:
        for body in (CHAT | {"stream": True}, CHAT | ASKED | {"stream_options": None}):
            ours = await post(team, "/chat/completions", body)
            theirs = await direct(team, "/chat/completions", CHAT | ASKED)
            usage = theirs.frames[-2]
            assert b'"usage":{"' in usage
            assert ours.frames == [*theirs.frames[:-2], theirs.frames[-1]]
            told = json.loads(
                usage.removeprefix(b"data: ").replace(b"{,", b"{").replace(b",,", b",")
            )
            receipt = await team.receipt(ours.headers["x-request-id"])
            assert receipt.usage is not None
            assert receipt.usage.input == told["usage"]["prompt_tokens"]
            assert receipt.usage.output == told["usage"]["completion_tokens"]
            assert receipt.bytes_relayed == len(ours.body)
            assert receipt.frames_relayed == len(ours.frames)


async def test_what_the_receipt_counts_is_what_the_upstream_billed(redis_url: str) -> None:
    """On every API, streamed or not, the simulator's ledger and the receipts agree."""
    async with stack(redis_url, paygo_only) as team:
        for path, body in SAME.values():
            ours = await post(team, path, body)
            if ours.status != 200:
                continue
            row = (await team.served())[-1]
            usage = (await team.receipt(ours.headers["x-request-id"])).usage
            assert usage is not None, path
            assert (usage.input, usage.cached, usage.output) == (
                row["input_tokens"],
                row["cached_tokens"],
                row["output_tokens"],
            )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_no_usage_is_not_zero_usage(redis_url: str, *, stream: bool) -> None:
    """What was not told is counted and flagged; an explicit zero is a zero."""
    async with stack(redis_url, paygo_only) as team:
        for path, body in (("/chat/completions", CHAT), ("/responses", RESPONSES)):
            await team.fault("paygo-a", usage="missing")
            ours = await post(team, path, body | {"stream": stream})
            untold = await team.receipt(ours.headers["x-request-id"])
            assert (untold.flags, untold.outcome) == (("estimated",), Outcome.FINISHED)
            (served,) = await team.served()
            assert untold.usage is not None
            assert untold.usage.input == pytest.approx(served["input_tokens"], rel=0.05, abs=2)
            assert untold.usage.output == pytest.approx(served["output_tokens"], rel=0.05, abs=2)
            await team.reset()
            await team.fault("paygo-a", usage="zero")
            ours = await post(team, path, body | {"stream": stream})
            told = await team.receipt(ours.headers["x-request-id"])
            assert (told.usage, told.flags, told.nano_usd) == (Usage(), (), 0)
            await team.reset()


async def test_silence_is_filled_with_comments(redis_url: str) -> None:
    """Between frames only, so that no SDK notices; the bytes of the answer are unchanged."""
    config = timed(ping_s=0.05)
    async with stack(redis_url, config, tpot_ms=120) as team:
        body: dict[str, Any] = CHAT | ASKED | {"max_tokens": 6}
        pinged = await post(team, "/chat/completions", body)
        plain = await direct(team, "/chat/completions", body)
        assert pinged.body.count(b": ping\n\n") >= 2
        assert pinged.comparable.replace(b": ping\n\n", b"") == plain.comparable
        text = ""
        stream: Any = await team.openai().chat.completions.create(**body)
        async for chunk in stream:
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
        assert text


async def test_too_long_a_silence_ends_the_stream(redis_url: str) -> None:
    """An error event that makes the SDK raise; the upstream is closed, the receipt says why."""
    async with stack(redis_url, timed(idle_s=1.5, ping_s=0.4)) as team:
        await team.fault("paygo-a", stall_after_chunks=2)
        ours = await post(team, "/chat/completions", CHAT | {"stream": True})
        assert ours.body.count(b": ping\n\n") >= 1
        assert ours.body.count(b'"code":"upstream_timeout"') == 1
        assert DONE not in ours.body
        receipt = await team.receipt(ours.headers["x-request-id"])
        assert (receipt.outcome, receipt.error) == (Outcome.UPSTREAM_ABORTED, "upstream_timeout")
        assert receipt.flags == ("estimated",)
        await _until_served(team, 1)
        assert (await team.served())[0]["outcome"] == "client_gone"
        await team.fault("paygo-a", stall_after_chunks=2)
        with pytest.raises(openai.APIError):
            async for _ in await team.openai().chat.completions.create(
                model="gpt-4o", messages=[MESSAGE], max_tokens=24, stream=True
            ):
                pass


async def test_a_line_that_never_ends_is_cut_off(redis_url: str) -> None:
    """128 MiB without a line's end: refused after the first, and the memory stays where it was."""
    async with stack(redis_url, paygo_only) as team:
        await post(team, "/chat/completions", CHAT | ASKED)
        before = _resident()
        await team.fault("paygo-a", endless_line=True)
        ours = await post(team, "/chat/completions", CHAT | {"stream": True})
        assert ours.status == 502
        assert json.loads(ours.body)["error"]["code"] == "upstream_protocol_error"
        await _until_served(team, 2)
        assert (await team.served())[-1]["outcome"] == "client_gone"
        assert _resident() - before < 24 * MIB


async def test_an_endless_line_after_content_is_an_error_event(redis_url: str) -> None:
    """What is too late to refuse is ended honestly."""
    async with stack(redis_url, paygo_only) as team:
        content = _delta("Once")
        async with canned(_endless_after(content)) as upstream:
            await lead_to(team, "paygo-a", upstream.url)
            ours = await post(team, "/chat/completions", CHAT | {"stream": True})
            assert ours.body.startswith(content)
            assert b'"code":"upstream_protocol_error"' in ours.body
            assert len(ours.body) < 1000
            await eventually(lambda: upstream.open == 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_compression_nobody_asked_for(redis_url: str, *, stream: bool) -> None:
    """The client gets what it can read, with no header that says otherwise."""
    async with stack(redis_url, paygo_only) as team:
        body = CHAT | (ASKED if stream else {})
        plain = await post(team, "/chat/completions", body)
        await team.fault("paygo-a", gzip=True)
        ours = await post(team, "/chat/completions", body)
        assert ours.comparable == plain.comparable
        assert "content-encoding" not in ours.headers
        assert ours.headers.get("content-length") in {None, str(len(ours.body))}


async def test_odd_line_ends_and_separators_pass(redis_url: str, subtests: pytest.Subtests) -> None:
    """U+2028, CR, CRLF, comments, torn characters: the bytes that came are the bytes that go."""
    odd = _delta("a\u2028b\u2029c\u0085d\U0001f30a", ascii_only=False)
    streams = {
        "separators in text": odd + DONE,
        "crlf": odd.replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n",
        "cr": odd.replace(b"\n", b"\r") + b"data: [DONE]\r\r",
        "comments and fields": b": hello\n\nid: 1\nretry: 5\nevent: x\n" + odd + DONE,
        "no space": odd.replace(b"data: ", b"data:") + b"data:[DONE]\n\n",
        "no last blank line": odd + b"data: [DONE]\n",
        "a bom": b"\xef\xbb\xbf" + odd + DONE,
    }
    async with stack(redis_url, paygo_only) as team:
        for name, stream in streams.items():
            for size in (1, 7, len(stream)):
                with subtests.test(name, size=size):
                    cuts = [stream[at : at + size] for at in range(0, len(stream), size)]
                    async with canned(pieces(*cuts)) as upstream:
                        await lead_to(team, "paygo-a", upstream.url)
                        ours = await post(team, "/chat/completions", CHAT | ASKED)
                    assert ours.body == stream
                    receipt = await team.receipt(ours.headers["x-request-id"])
                    assert receipt.outcome is Outcome.FINISHED


async def test_early_hints_and_trailers_are_not_the_answer(redis_url: str) -> None:
    """What comes before the headers and after the body is dropped."""
    async with stack(redis_url, paygo_only) as team:
        plain = await post(team, "/chat/completions", CHAT)
        await team.fault("paygo-a", early_hints=True, trailers=True)
        ours = await post(team, "/chat/completions", CHAT)
        assert (ours.status, ours.comparable) == (200, plain.comparable)
        assert "trailer" not in ours.headers


async def test_an_error_in_the_middle_is_passed_on_and_recorded(redis_url: str) -> None:
    """The upstream's own error event ends the stream; nothing of ours is added to it."""
    error = b'data: {"error":{"message":"no more","type":"server_error","code":"server_error"}}\n\n'
    stream = _delta("Once") + error
    async with stack(redis_url, paygo_only) as team, canned(pieces(stream)) as upstream:
        await lead_to(team, "paygo-a", upstream.url)
        ours = await post(team, "/chat/completions", CHAT | ASKED)
        assert ours.body == stream
        receipt = await team.receipt(ours.headers["x-request-id"])
        assert (receipt.outcome, receipt.error) == (Outcome.UPSTREAM_ABORTED, "server_error")


READERS = 20
OFFERED = 64 * MIB


async def test_stalled_readers_hold_their_upstreams_back(redis_url: str) -> None:
    """Twenty clients stop reading streams of 64 MiB: memory stays flat, and others are served."""
    async with stack(redis_url, timed(write_stall_s=300)) as team, AsyncExitStack() as readers:
        written: list[int] = []
        begin = asyncio.Event()
        async with canned(_flood(written, begin=begin)) as upstream:
            await lead_to(team, "paygo-a", upstream.url)
            before = _resident()
            for _ in range(READERS):
                await readers.enter_async_context(_stalled(team))
            await eventually(lambda: len(written) == READERS)
            begin.set()
            await _until_still(written)
            grown = _resident() - before
            print(  # noqa: T201  # the figures, shown by -rP or -s
                f"{READERS} stalled readers of {OFFERED >> 20} MiB: {sum(written) >> 20} MiB left "
                f"the upstreams, resident memory grew by {grown / MIB:.1f} MiB"
            )
            # With it what each upstream and client hold here, in the same process.
            assert grown < READERS * MIB / 2
            assert max(written) < OFFERED / 2
            assert (await team.openai().models.list()).data
            assert upstream.open == READERS


async def test_a_stalled_reader_is_cut_off(redis_url: str) -> None:
    """Its upstream is let go, and its receipt says whose fault that is."""
    async with stack(redis_url, timed(write_stall_s=1)) as team, canned(_flood([])) as upstream:
        await lead_to(team, "paygo-a", upstream.url)
        async with _stalled(team):
            await eventually(lambda: team.receipts.kept)
            await eventually(lambda: upstream.open == 0)
        assert [each.outcome for each in team.receipts.kept] == [Outcome.CLIENT_DISCONNECTED]


async def test_a_slow_reader_is_not_a_stalled_one(redis_url: str) -> None:
    """It reads a little now and then, for longer than a stall may take, and gets all of it."""
    total = 8 * MIB
    async with stack(redis_url, timed(write_stall_s=2)) as team:
        async with canned(_flood([], total=total)) as upstream:
            await lead_to(team, "paygo-a", upstream.url)
            async with _stalled(team) as connection:
                loop, size = asyncio.get_running_loop(), 0
                tail = b""
                while not tail.endswith(b"0\r\n\r\n"):
                    data = await loop.sock_recv(connection, MIB)
                    assert data, "cut off"
                    size, tail = size + len(data), (tail + data)[-16:]
                    await asyncio.sleep(0.04)
        assert size > total
        await eventually(lambda: team.receipts.kept)
        assert team.receipts.kept[0].outcome is Outcome.FINISHED


def _delta(text: str, *, ascii_only: bool = True) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    payload = json.dumps(chunk | {"choices": [choice]}, ensure_ascii=ascii_only)
    return b"data: " + payload.encode() + b"\n\n"


def _endless_after(content: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + content + b"data: ")
        for _ in range(1024):
            writer.write(b"x" * 65536)
            await writer.drain()

    return say


def _flood(
    written: list[int], *, total: int = OFFERED, begin: asyncio.Event | None = None
) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """A long stream, when told to begin; counts what each connection took of it."""
    frame = _delta("x" * 16384)

    async def say(writer: asyncio.StreamWriter) -> None:
        number = len(written)
        written.append(0)
        if begin is not None:
            await begin.wait()
        writer.write(STREAM_HEAD)
        while written[number] < total:
            writer.write(frame)
            await writer.drain()
            written[number] += len(frame)
        writer.write(DONE)
        writer.close()

    return say


class _stalled:  # noqa: N801  # a context manager, used like a function
    """A client with a small window that asks for a stream and does not read."""

    def __init__(self, team: Stack) -> None:
        self._team = team
        self._socket = socket.socket()

    async def __aenter__(self) -> socket.socket:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._socket.settimeout(0)
        host, port = self._team.process.data_url.removeprefix("http://").split(":")
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, (host, int(port)))
        headers = (("api-key", self._team.key),)
        await loop.sock_sendall(self._socket, request(chat(stream=True), headers=headers))
        return self._socket

    async def __aexit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.close()


async def _until_still(counts: list[int]) -> None:
    """Wait until nothing was added for half a second."""
    seen, since = list(counts), time.monotonic()

    def is_still() -> bool:
        nonlocal seen, since
        if seen != counts:
            seen, since = list(counts), time.monotonic()
        return any(counts) and time.monotonic() - since > 0.5

    await eventually(is_still)


async def _until_served(team: Stack, count: int) -> None:
    async with asyncio.timeout(20):
        while len(await team.served()) < count:
            await asyncio.sleep(0.01)


def _resident() -> int:
    """This process's resident memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096
