from __future__ import annotations

import asyncio
import threading
from collections.abc import MutableMapping
from typing import IO, Any

import pytest
from starlette.requests import ClientDisconnect
from structlog.testing import capture_logs

from app.api.admin.streaming import PART_BYTES, Pace, streamed

SCOPE = {"type": "http", "asgi": {"spec_version": "2.4"}, "path": "/rows"}


class Reader:
    """Takes so many parts, then is gone, as a server's `send` finds it."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.taken = 0

    async def receive(self) -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            self.taken += 1
            if self.taken > self.parts:
                raise ConnectionResetError


async def test_that_a_thread_ends_when_nobody_reads_what_it_writes() -> None:
    """It writes without end, and no more than a few parts ahead of its reader."""
    ended, written = threading.Event(), 0

    def write(target: IO[bytes]) -> None:
        nonlocal written
        try:
            while True:
                target.write(b"x" * PART_BYTES)
                written += 1
        finally:
            ended.set()

    answer = await streamed(write, form="csv", name="rows")
    reader = Reader(parts=3)
    with pytest.raises(ClientDisconnect):
        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, reader.receive, reader.send)
    assert ended.is_set()
    assert written <= reader.taken + 10


async def test_that_a_reader_who_takes_no_more_is_given_up() -> None:
    """It would hold a thread for as long as it keeps the connection."""
    ended = threading.Event()

    def write(target: IO[bytes]) -> None:
        try:
            while True:
                target.write(b"x" * PART_BYTES)
        finally:
            ended.set()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    told: list[bool] = []
    answer = await streamed(
        write,
        form="csv",
        name="rows",
        ended=lambda: told.append(ended.is_set()),
        pace=Pace(slack_s=0.01),
    )
    with capture_logs() as logs:
        await answer(SCOPE, Reader(0).receive, send)
    assert [(each["event"], each["path"]) for each in logs] == [("download_given_up", "/rows")]
    assert ended.is_set()
    assert told == [True]


async def test_that_a_reader_who_takes_a_little_now_and_then_is_given_up() -> None:
    """Each part in time, and all of them too slowly: patience grows with parts, and is used up."""
    taken, ended = 0, threading.Event()

    def write(target: IO[bytes]) -> None:
        try:
            while True:
                target.write(b"x" * PART_BYTES)
        finally:
            ended.set()

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal taken
        if message.get("body"):
            await asyncio.sleep(0.02)
            taken += 1

    pace = Pace(slack_s=0.2, part_s=0.001)
    answer = await streamed(write, form="csv", name="rows", pace=pace)
    with capture_logs() as logs:
        await answer(SCOPE, Reader(0).receive, send)
    assert [(each["event"], each["path"]) for each in logs] == [("download_given_up", "/rows")]
    assert ended.is_set()
    assert 1 <= taken <= 11


async def test_that_all_parts_come_in_order() -> None:
    """Small and large writes, and what is left in the buffer at the end."""
    body = bytearray()

    async def send(message: MutableMapping[str, Any]) -> None:
        body.extend(message.get("body", b""))

    def write(target: IO[bytes]) -> None:
        for number in range(50_000):
            target.write(b"%d," % number)

    answer = await streamed(write, form="csv", name="rows")
    await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, Reader(0).receive, send)
    assert bytes(body) == b"".join(b"%d," % number for number in range(50_000))


async def test_that_what_fails_at_once_is_raised_at_once() -> None:
    """Before anything was sent it can still be an error of its own."""

    def write(target: IO[bytes]) -> None:
        target.write(b"header")
        raise KeyError

    with pytest.raises(KeyError):
        await streamed(write, form="csv", name="rows")
