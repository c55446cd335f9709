from __future__ import annotations

import asyncio
import socket
from asyncio import AbstractEventLoop
from typing import Any, cast

import pytest

from app.adapters.upstream.addresses import Addresses


class Names:
    """A loop that looks names up where the test says."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.asked: list[str] = []
        self.let_go = asyncio.Event()
        self.let_go.set()
        self._answers = list(answers)
        self._loop = asyncio.get_running_loop()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        return self._loop.create_task(work)

    async def getaddrinfo(self, host: str, port: int, **options: Any) -> list[Any]:
        self.asked.append(host)
        await self.let_go.wait()
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answer]


def addresses(names: Names) -> Addresses:
    return Addresses(cast("AbstractEventLoop", names), cache_s=30.0)


def hosts(found: list[Any]) -> list[str]:
    return [each[4][0] for each in found]


async def test_a_name_is_remembered_for_a_while() -> None:
    """And each of its addresses is first in turn."""
    names = Names(["10.0.0.1", "10.0.0.2"], ["10.0.0.3"])
    known = addresses(names)
    assert hosts(await known.of("a.example", 443)) == ["10.0.0.1", "10.0.0.2"]
    assert hosts(await known.of("a.example", 443)) == ["10.0.0.2", "10.0.0.1"]
    names.now = 29.9
    assert hosts(await known.of("a.example", 443)) == ["10.0.0.1", "10.0.0.2"]
    names.now = 30.1
    assert hosts(await known.of("a.example", 443)) == ["10.0.0.3"]
    assert names.asked == ["a.example"] * 2


async def test_a_name_that_leads_nowhere_is_forgotten() -> None:
    """The next one asks anew."""
    names = Names(["10.0.0.1"], ["10.0.0.2"])
    known = addresses(names)
    await known.of("a.example", 443)
    known.forget("a.example", 443)
    known.forget("b.example", 443)
    assert hosts(await known.of("a.example", 443)) == ["10.0.0.2"]


async def test_many_who_ask_at_once_ask_once() -> None:
    """Whoever leaves takes nothing from the others."""
    names = Names(["10.0.0.1"])
    names.let_go.clear()
    known = addresses(names)
    asking = [asyncio.create_task(known.of("a.example", 443)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    names.let_go.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [hosts(cast("list[Any]", each)) for each in found[1:]] == [["10.0.0.1"]] * 4
    assert names.asked == ["a.example"]


async def test_a_failure_is_not_remembered() -> None:
    """A resolver that comes back is asked again."""
    names = Names(socket.gaierror("no"), ["10.0.0.1"])
    known = addresses(names)
    with pytest.raises(OSError, match="no"):
        await known.of("a.example", 443)
    assert hosts(await known.of("a.example", 443)) == ["10.0.0.1"]


async def test_nobody_is_left_asking() -> None:
    """A failure that nobody waits for any more is no noise; a close ends what is under way."""
    names = Names(socket.gaierror("no"))
    names.let_go.clear()
    known = addresses(names)
    asking = asyncio.create_task(known.of("a.example", 443))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    known.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert known._lookups == {}  # noqa: SLF001  # that nothing is left is what this is about


async def test_addresses_are_not_looked_up() -> None:
    """Numbers are what they say."""
    known = Addresses(asyncio.get_running_loop())
    for host in ("127.0.0.1", "::1"):
        assert hosts(await known.of(host, 80)) == [host]
