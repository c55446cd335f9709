"""Clients that drip: a limit on headers and on the body, and the others served meanwhile."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.drippers import Drippers
from tests.e2e.raw import chat
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.e2e.test_workers import KEY, serving

#: What other requests may take, of a hundred all but one; on a machine that is busy, as many times
#: what they take without slow clients.
MOST_S = 0.25
MOST_TIMES = 5


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


async def test_many_slow_clients_leave_others_fast(redis_url: str) -> None:
    """Headers and bodies drip; others have their answers, drippers lose their connections."""
    async with stack(redis_url, _impatient) as team:
        url = team.base_url
        quiet_s = await p99_s(team.http, url, team.key, requests=60)
        async with Drippers(url, team.key, 200) as drippers:
            await eventually(lambda: drippers.open == 200)
            beside_s = await p99_s(team.http, url, team.key, requests=120)
            await eventually(lambda: drippers.dropped and drippers.told)
        assert beside_s < max(MOST_S, MOST_TIMES * quiet_s)
        assert set(drippers.told) == {408}


@pytest.mark.long
async def test_a_thousand_slow_clients_leave_others_fast(tmp_path: Path) -> None:
    """Of two workers: p99 stays below 250 ms, and memory within 20 KB for each of them."""
    timeouts = {"header_s": 10, "body_s": 10, "drain_lag_s": 0, "drain_s": 1}
    async with serving(tmp_path, timeouts=timeouts) as gateway:
        url = f"{gateway.data}/v1"
        quiet_s = await p99_s(gateway.http, url, KEY, requests=500)
        before = {pid: _rss_kb(pid) for pid in gateway.workers().values()}
        async with Drippers(url, KEY, 1000) as drippers:
            await eventually(lambda: drippers.open == 1000)
            beside_s = await p99_s(gateway.http, url, KEY, requests=2000)
            await eventually(lambda: drippers.dropped and drippers.told)
            grown_kb = sum(_rss_kb(pid) - kb for pid, kb in before.items())
        print(  # noqa: T201  # the figures, shown by -rP or -s
            f"p99 {1000 * quiet_s:.1f} ms, beside 1,000 slow clients {1000 * beside_s:.1f} ms; "
            f"{grown_kb / 1000:.1f} KB for each; {drippers.dropped} dropped, {drippers.told} told"
        )
        assert beside_s < MOST_S
        assert grown_kb < 20 * 1000


async def test_connections_have_a_limit(redis_url: str) -> None:
    """Whoever comes when there are as many is told so at once; afterwards there is room again."""

    def few(suffix: str) -> dict[str, Any]:
        return ptu_and_paygo(suffix) | {"limits": {"max_connections": 8}}

    async with stack(redis_url, few) as team:
        idle = [await _connected(team) for _ in range(8)]
        await eventually(lambda: team.process.listeners["data"].connections == 8)
        reader, writer = await _connected(team)
        async with asyncio.timeout(20):
            said = await _rest(reader)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"too_many_connections"' in said
        assert b"\r\nretry-after: 1\r\n" in said
        for each in (writer, *(writer for _, writer in idle)):
            each.close()
        await eventually(lambda: team.process.listeners["data"].connections == 0)
        assert (await team.openai().models.list()).data
        async with team.http.get(f"{team.process.admin_url}/metrics") as page:
            told = await page.text()
        assert 'spillgate_client_connections_refused_total{listener="data"} 1' in told
        assert 'spillgate_client_connections{listener="admin"} 1' in told


async def p99_s(http: aiohttp.ClientSession, url: str, key: str, *, requests: int) -> float:
    """How long all but one of a hundred take, two at once; each must be answered."""

    async def ask(times: int) -> list[float]:
        took = []
        for _ in range(times):
            began = time.perf_counter()
            async with http.post(
                f"{url}/chat/completions",
                data=chat(),
                headers={"api-key": key, "content-type": "application/json"},
            ) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            took.append(time.perf_counter() - began)
            await asyncio.sleep(0.002)
        return took

    found = await asyncio.gather(*(ask(requests // 2) for _ in range(2)))
    took = sorted(second for each in found for second in each)
    return took[int(0.99 * len(took))]


def _rss_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
