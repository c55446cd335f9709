"""`serve --workers 2`: one gateway of several processes, whatever becomes of each."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from app.cli.key import new_key
from tests.e2e.command import Spillgate, spillgate

KEY, NEW_KEY = new_key("test"), new_key("test")
ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
DEADLINE_S = 60.0
#: What a killed worker takes along: a look at it each second, and what that may take.
UNTOLD_S = 3.0
#: Of a worker, in kilobytes; some of it is the interpreter's own, which differs between builds.
MOST_AT_START_KB = 128_000
SERVING = r'.*"serving, all deployments simulated".*'


def write(directory: Path, **sections: Any) -> None:
    """The configuration, with other sections where they are given."""
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    usual = {
        "deployments": {"paygo": deployment, "broken": deployment},
        "models": {"gpt-4o": {"tiers": [["paygo", "broken"]]}},
        "admin": {"key": "an-admin-key-of-tests"},
        "tenants": {"team": {"keys": [KEY]}},
        "simulator": {"ttft_ms": 0, "tpot_ms": 1},
        "timeouts": {"drain_lag_s": 0, "drain_s": 30},
    }
    (directory / "spillgate.yaml").write_text(yaml.safe_dump(usual | sections))


@dataclass
class Gateway:
    """A running one, and what to ask of it."""

    command: Spillgate
    http: aiohttp.ClientSession
    data: str
    admin: str
    simulator: str

    async def chat(self, key: str = KEY, **more: Any) -> int:
        """One short answer on a connection of its own; its status."""
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
        url, headers = f"{self.data}/v1/chat/completions", {"api-key": key}
        body |= {"max_tokens": 4} | more
        async with self.http.post(url, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def metrics(self) -> dict[str, float]:
        """By family the sum of its series."""
        async with self.http.get(f"{self.admin}/metrics") as answer:
            lines = [line for line in (await answer.text()).splitlines() if line[0] != "#"]
        found: dict[str, float] = {}
        for line in lines:
            name = re.split("[ {]", line, maxsplit=1)[0]
            found[name] = found.get(name, 0.0) + float(line.rpartition(" ")[2])
        return found

    async def metric(self, name: str) -> float:
        return (await self.metrics()).get(name, 0.0)

    async def until(self, holds: Callable[[dict[str, float]], object]) -> dict[str, float]:
        """The metrics, once they are so."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds(found := await self.metrics()):
                await asyncio.sleep(0.05)
        return found

    @asynccontextmanager
    async def fault(self, **fault: Any) -> AsyncIterator[None]:
        """One deployment fails."""
        body = {"deployment": "broken", **fault}
        async with self.http.post(f"{self.simulator}/_sim/faults", json=body) as answer:
            assert answer.status < 300
        yield
        async with self.http.post(f"{self.simulator}/_sim/reset") as answer:
            assert answer.status < 300

    async def health(self, deployment: str) -> str:
        """What the admin API says of it."""
        url = f"{self.admin}/admin/v1/deployments"
        async with self.http.get(url, headers=ADMIN) as answer:
            found = {
                each["name"]: each["health"]["status"] for each in (await answer.json())["data"]
            }
        return str(found[deployment])

    async def readiness(self) -> int:
        """The status of the admin plane's."""
        async with self.http.get(f"{self.admin}/readyz") as answer:
            return answer.status

    async def served(self) -> list[dict[str, Any]]:
        """The simulator's ledger."""
        async with self.http.get(f"{self.simulator}/_sim/ledger") as answer:
            rows: list[dict[str, Any]] = (await answer.json())["served"]
            return rows

    def said(self, event: str) -> list[dict[str, Any]]:
        """Lines of the log."""
        lines = [json.loads(line) for line in self.command.output.splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == event]

    def workers(self) -> dict[int, int]:
        """By number the process."""
        found: dict[int, int] = {}
        for pid in children_of(self.command.process.pid):
            with suppress(OSError, ValueError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
                if "worker" in command:
                    found[int(command[command.index("--number") + 1])] = pid
        return found


def children_of(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.02)


@contextmanager
def command_in(directory: Path, *options: str, **sections: Any) -> Iterator[Spillgate]:
    write(directory, **sections)
    arguments = ["serve", "--config", "spillgate.yaml", "--simulate", "--workers", "2"]
    ports = ["--admin-port", "0", "--port", "0"]
    with spillgate(*arguments, *ports, *options, cwd=directory) as running:
        yield running


@asynccontextmanager
async def serving(directory: Path, **sections: Any) -> AsyncIterator[Gateway]:
    """Two workers that serve; each request has a connection of its own."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    with command_in(directory, **sections) as running:
        said = json.loads((await asyncio.to_thread(running.wait_for, SERVING))[0])
        async with aiohttp.ClientSession(connector=connector) as http:
            yield Gateway(running, http, said["data"], said["admin"], said["simulator"])


async def test_two_workers_are_one_gateway(tmp_path: Path) -> None:
    """They share requests, limits, metrics, the log and reloads; one is killed; then all are."""
    tenants = {"team": {"keys": [KEY], "limits": {"requests_per_day": 40}}}
    async with serving(tmp_path, tenants=tenants) as gateway:
        they_start_small(gateway)
        await limits_are_exact_over_both(gateway)
        await the_console_adds_them_up(gateway)
        write(tmp_path, tenants={"other": {"keys": [NEW_KEY]}}, limits={"max_body_bytes": 1024})
        await both_follow_a_reload(gateway)
        await what_workers_think_is_shown(gateway)
        (tmp_path / "spillgate.yaml").write_text("deployments: {")
        await a_mistake_reaches_nobody(gateway)
        await a_killed_one_comes_back(gateway)
        workers = gateway.workers()
        assert len(workers) == 2
        # Whoever started them has no time to tell them. Its end is read when theirs has come, too.
        await asyncio.to_thread(gateway.command.end, signal.SIGKILL)
        await until(lambda: not any(map(is_alive, workers.values())))


def they_start_small(gateway: Gateway) -> None:
    """With one vocabulary; 200 MB were two, and all that the admin plane and the command need."""
    for pid in gateway.workers().values():
        status = Path(f"/proc/{pid}/status").read_text()
        resident_kb = int(re.findall(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[0])
        assert resident_kb < MOST_AT_START_KB, status


async def limits_are_exact_over_both(gateway: Gateway) -> None:
    """Both get requests; their lines are whole and say whose they are."""
    statuses = await asyncio.gather(*(gateway.chat() for _ in range(60)))
    assert sorted(statuses) == [200] * 40 + [429] * 20
    assert len(await gateway.served()) == 40
    found = await gateway.until(lambda found: found["llm_requests_total"] == 60)
    assert (found["spillgate_workers"], found["llm_requests_in_flight"]) == (2, 0)
    await until(lambda: len(gateway.said("request")) == 60)
    requests = gateway.said("request")
    assert {(line["worker"], line["pid"]) for line in requests} == {*gateway.workers().items()}


async def the_console_adds_them_up(gateway: Gateway) -> None:
    """Its figures are of both workers, accounts and ledger; its playground asks one of them."""
    console, key = f"{gateway.admin}/console", "an-admin-key-of-tests"
    jar = aiohttp.CookieJar(unsafe=True)  # of an address that is a number
    async with aiohttp.ClientSession(cookie_jar=jar) as http:

        async def page(path: str) -> str:
            async with http.get(f"{console}{path}") as answer:
                assert answer.status == 200, path
                return await answer.text()

        token = re.findall(r'name="csrf" value="([^"]+)"', await page("/sign-in"))[0]
        async with http.post(f"{console}/sign-in", data={"csrf": token, "key": key}) as answer:
            overview = await answer.text()
        assert '<td class="number" id="all-requests">60</td>' in overview
        tenant = " ".join(re.sub(r"<[^>]+>", " ", await page("/tenants/team")).split())
        assert "requests_per_day tenant hard 40 40 0" in tenant
        async with asyncio.timeout(DEADLINE_S):
            while (await page("/requests")).count("<tr>") < 1 + 50:
                await asyncio.sleep(0.05)
        token = re.findall(r'name="csrf" value="([^"]+)"', await page("/playground"))[0]
        form = {"csrf": token, "key_from": "fresh", "tenant": "team", "model": "gpt-4o"}
        async with http.post(f"{console}/playground", data=form | {"prompt": "Hi"}) as answer:
            refused = await answer.text()
        assert "<dd>429</dd>" in refused, "its one day's requests are used up"


async def both_follow_a_reload(gateway: Gateway) -> None:
    """What the file says of all requests, and of keys."""
    await gateway.until(lambda found: found["spillgate_config_generation"] == 2)
    assert {line["worker"] for line in gateway.said("config reloaded")} == {0, 1, 2}
    large = (gateway.chat(NEW_KEY, user="x" * 2000) for _ in range(20))
    assert set(await asyncio.gather(*large)) == {413}


async def what_workers_think_is_shown(gateway: Gateway) -> None:
    """By the process that asks no deployment itself."""
    async with gateway.fault(status=500, times=1_000_000):
        async with asyncio.timeout(DEADLINE_S):
            while await gateway.health("broken") != "ejected":
                await gateway.chat(NEW_KEY)
    assert await gateway.health("paygo") == "healthy"
    await until(lambda: gateway.said("deployment ejected"))
    assert {line["deployment"] for line in gateway.said("deployment ejected")} == {"broken"}


async def a_mistake_reaches_nobody(gateway: Gateway) -> None:
    """Who started them says so; who comes back gets what is in force."""
    await gateway.until(lambda found: found["spillgate_config_last_reload_successful"] == 0)
    assert {line["worker"] for line in gateway.said("config not reloaded")} == {0}


async def a_killed_one_comes_back(gateway: Gateway) -> None:
    """The other serves on. Lost of the metrics is what was not told at the last look."""
    answered: list[float] = []
    before, served = await gateway.metric("llm_requests_total"), len(await gateway.served())
    async with asking(gateway, answered):
        await until(lambda: len(answered) >= 100)
        killed_at, victim = time.monotonic(), gateway.workers()[1]
        os.kill(victim, signal.SIGKILL)
        await until(lambda: answered[-1] > killed_at)
        await until(lambda: gateway.workers().get(1) not in {None, victim})
        await gateway.until(lambda found: found["spillgate_workers"] == 2)
    untold = sum(killed_at - UNTOLD_S <= at <= killed_at for at in answered)
    found = await gateway.metrics()
    counted = found["llm_requests_total"] - before
    assert len(answered) - untold <= counted <= len(await gateway.served()) - served
    assert found["spillgate_worker_ends_total"] == 1
    (said,) = gateway.said("worker_ended")
    assert (said["worker"], said["number"], said["signal"]) == (0, 1, signal.SIGKILL)

    assert set(await asyncio.gather(*(gateway.chat(NEW_KEY) for _ in range(30)))) == {200}
    after = found["llm_requests_total"] + 30
    await gateway.until(lambda found: found["llm_requests_total"] == after)


@asynccontextmanager
async def asking(gateway: Gateway, answered: list[float]) -> AsyncIterator[None]:
    """Four clients without a pause, who note when they were answered."""
    ends = asyncio.Event()

    async def ask() -> None:
        while not ends.is_set():
            with suppress(aiohttp.ClientError):
                if await gateway.chat(NEW_KEY) == 200:
                    answered.append(time.monotonic())

    async with asyncio.TaskGroup() as clients:
        for _ in range(4):
            clients.create_task(ask())
        yield
        ends.set()


@pytest.mark.long
async def test_one_that_hangs_is_replaced(tmp_path: Path) -> None:
    """A stopped process answers nobody: half a minute later another serves in its place."""
    async with serving(tmp_path) as gateway:
        hung = gateway.workers()[1]
        os.kill(hung, signal.SIGSTOP)
        await until(lambda: gateway.said("worker_hangs"))
        await until(lambda: gateway.workers().get(1) not in {None, hung})
        await gateway.until(lambda found: found["spillgate_workers"] == 2)
        assert set(await asyncio.gather(*(gateway.chat() for _ in range(20)))) == {200}
        (said,) = gateway.said("worker_ended")
        assert (said["number"], said["signal"]) == (1, signal.SIGKILL)


async def test_told_to_end_they_drain_and_told_again_they_hurry(tmp_path: Path) -> None:
    """Nobody is ready meanwhile; streams end well, and one that would last for ever honestly."""
    timeouts = {"drain_lag_s": 1, "drain_s": 3600}
    slow = {"ttft_ms": 0, "tpot_ms": 5}
    async with serving(tmp_path, timeouts=timeouts, simulator=slow) as gateway:
        endless = asyncio.create_task(gateway.chat(stream=True, max_tokens=16_000))
        streams = [
            asyncio.create_task(gateway.chat(stream=True, max_tokens=1600)) for _ in range(12)
        ]
        await gateway.until(lambda found: found["llm_requests_in_flight"] == 13)
        gateway.command.process.send_signal(signal.SIGTERM)
        while await gateway.readiness() != 503:
            pass
        assert await asyncio.gather(*streams) == [200] * 12
        assert not endless.done()
        await asyncio.to_thread(gateway.command.end)
        assert gateway.command.process.returncode == 0
        assert await endless == 200
        requests = gateway.said("request")
        # Each worker writes its lines in bunches: in which order theirs come is not promised.
        assert Counter(line["outcome"] for line in requests) == {"finished": 12, "shut_down": 1}
        assert {line["worker"] for line in requests} == {1, 2}


def test_an_address_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    """As by a single process, even where whoever listens there would share it."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        with command_in(tmp_path, "--port", str(port)) as running:
            assert running.process.wait(DEADLINE_S) == 1
            running.wait_for(rf"^cannot listen on 127\.0\.0\.1:{port}: Address already in use\n$")
