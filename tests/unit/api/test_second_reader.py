"""What is read as a request is read the same by another parser, or not at all: h11 is the other.

Whoever stands before the gateway may be any reader. Where both read, they read the same requests
with the same bodies; else a caller could hide one from the first of them.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import cast

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.call import DataPlaneLimits, Head, HttpCall
from app.api.connection import Serving
from app.api.line import Line
from app.api.listener import ConnectionLimits
from app.api.plane_server import Connected
from app.api.reply import HttpReply
from app.errors import ClientGone
from tests.e2e.http_classes import CLASSES, SMUGGLED, HttpClass
from tests.unit.api.test_connection import Wire

LIMITS = DataPlaneLimits(max_body=1 << 20, body_s=20.0, write_stall_s=20.0, max_in_flight=10)
#: Method and body.
Read = tuple[str, bytes]


class Noting:
    """A plane that notes what came whole, and answers."""

    def __init__(self) -> None:
        self.read: list[Read] = []

    def call(self, head: Head, line: Line) -> HttpCall:
        return HttpCall(head, head.headers, line, LIMITS, "req_1")

    async def serve(self, call: HttpCall) -> None:
        try:
            body = await call.body()
        except ClientGone:
            return
        self.read.append((call.head.method, body))
        reply = HttpReply(call)
        await reply.start(200, {"content-length": "0"})
        await reply.finish()
        call.line.left(call.task, is_answered=call.is_answered)


async def _ours(parts: list[bytes]) -> list[Read]:
    plane, wire = Noting(), Wire()
    connection = Serving(plane, ConnectionLimits()).connection(server_state=Connected())
    connection.connection_made(cast("asyncio.Transport", wire))
    for part in parts:
        if not wire.closed.is_set():
            connection.data_received(part)
        for _ in range(6):  # each request has a task, and the next begins after its answer
            await asyncio.sleep(0)
    connection.connection_lost(None)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return plane.read


def _theirs(sent: bytes) -> list[Read]:
    """As far as h11 reads."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    reader.receive_data(sent)
    read: list[Read] = []
    method, body = "", b""
    try:
        while True:
            event = reader.next_event()
            if event is h11.PAUSED:
                reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                reader.send(h11.EndOfMessage())
                reader.start_next_cycle()
            elif isinstance(event, h11.Request):
                method, body = event.method.decode(), b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                read.append((method, body))
            else:
                return read
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        return read


def _agree(ours: list[Read], theirs: list[Read]) -> None:
    """One may stop earlier than the other; as far as both go they read the same."""
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both]


@pytest.mark.parametrize("each", CLASSES, ids=[each.name for each in CLASSES])
def test_classes(each: HttpClass) -> None:
    """Each with a request behind it: what both read are as many."""
    sent = each.sent + SMUGGLED
    ours, theirs = asyncio.run(_ours([sent])), _theirs(sent)
    if ours and theirs:
        assert ours == theirs


_LINES = (
    *("Content-Length: 3", "Content-Length: 03", "Content-Length: 5", "Content-Length: 3, 3"),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding: CHUNKED "),
    *("Connection: close", "Expect: 100-continue", "A: b", "A:\tb", "A : b", " A: b", "A_b: c"),
)
_ENDS = ("\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r")
_BODIES = (
    *("", "abc", "abcde", "3\r\nabc\r\n0\r\n\r\n", "3;x\r\nabc\r\n0\r\na: b\r\n\r\n"),
    *("3\nabc\r\n0\r\n\r\n", "03\r\nabc\r\n00\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n", "0\r\n\r\n"),
)


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    version = draw(st.sampled_from(["HTTP/1.1"] * 5 + ["HTTP/1.0"]))
    lines = ["Host: x", *draw(st.lists(st.sampled_from(_LINES), max_size=4))]
    head = f"POST / {version}\r\n"
    for line in lines:
        head += line + draw(st.sampled_from(_ENDS))
    return (head + "\r\n" + draw(st.sampled_from(_BODIES))).encode()


@given(st.lists(_requests(), min_size=1, max_size=3), st.lists(st.integers(0, 300), max_size=3))
@settings(max_examples=150)
def test_random_requests(some: list[bytes], cuts: list[int]) -> None:
    """One behind the other, however they are cut."""
    sent = b"".join(some)
    at = sorted({0, *(cut for cut in cuts if cut < len(sent)), len(sent)})
    parts = [sent[begin:end] for begin, end in pairwise(at)]
    _agree(asyncio.run(_ours(parts)), _theirs(sent))


def test_both_do_read() -> None:
    """Two that nobody could misunderstand are two for both."""
    sent = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" * 2
    assert asyncio.run(_ours([sent])) == _theirs(sent) == [("POST", b"abc")] * 2
