"""What is planted is in no output of the command: workers and who keeps them, checks, the rest."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from app.adapters.redis.embedded_binaries import installed_binaries
from app.cli.check import check
from app.cli.key import new_key
from app.cli.session import Surroundings
from tests.e2e.command import Spillgate, spillgate
from tests.e2e.planted import CHAT, conversation, planted
from tests.e2e.scripted import Script, Scripted, blurting, scripted
from tests.e2e.sinks import OWNER, Canaries, files_under
from tests.fakes.command_line import run_with

NO_SERVER: Final = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
READY: Final = r'"serving"'


def config(canary: Canaries, url: str, **sections: Any) -> dict[str, Any]:
    """Every kind of secret, two of them by variables; deployments that are what they are called."""
    azure = {"kind": "paygo", "model": "gpt-4o", "tpm": 100_000_000}
    names = ("answers", "repeats")
    return {
        "deployments": {
            name: azure | {"endpoint": f"{url}/{name}", "auth": {"api_key": f"${{KEY_{name}}}"}}
            for name in names
        },
        "models": {name: {"tiers": [[name]]} for name in names},
        "admin": {"key": canary("owner key")},
        "keys": {"pepper": canary("pepper")},
        "budgets": {"webhook": f"http://127.0.0.1:9/{canary('webhook')}", "alert_at": [1e-6]},
        "tenants": {"team": {"keys": [canary("tenant's key")], "limits": {"usd_per_day": 1}}},
        "logs": {"level": "debug"},
        "tracing": {
            "endpoint": "http://127.0.0.1:9",
            "headers": {"authorization": f"Bearer {canary('trace header')}"},
            "sample": 1,
        },
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
        **sections,
    }


def environment(canary: Canaries) -> dict[str, str]:
    return {f"KEY_{name}": canary(f"deployment key: {name}") for name in ("answers", "repeats")}


def upstreams(canary: Canaries) -> dict[str, Script]:
    """One answers; one fails in the words of what it was sent."""
    key = canary("deployment key: repeats")
    words = f"{key} {canary('upstream says')}"
    good = json.dumps({"id": "c", "choices": [], "usage": {"prompt_tokens": 1}}).encode()
    error = json.dumps({"error": {"message": words, "type": words, "code": words}}).encode()
    return {"answers": whole("200 OK", good), "repeats": whole("500 No", error)}


def whole(status: str, body: bytes) -> Script:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n"
    return Script((head.encode() + body,))


@dataclass(slots=True)
class Served:
    """`serve --workers 2`, its upstreams, and where its configuration is."""

    command: Spillgate
    canary: Canaries
    upstream: Scripted
    http: aiohttp.ClientSession
    data: str
    admin: str
    file: Path

    async def chat(self, place: str, model: str, **headers: str) -> int:
        """One request on a connection of its own."""
        given = headers or {"api-key": self.canary("tenant's key")}
        body = conversation(self.canary, place) | {"model": model}
        async with self.http.post(f"{self.data}{CHAT}", json=body, headers=given) as answer:
            said = await answer.text()
            assert self.canary.found_in(said).isdisjoint({"deployment key: repeats"})
            return answer.status

    async def said(self, event: str, times: int = 1) -> None:
        """Wait until the log has so many lines of an event."""
        async with asyncio.timeout(60):
            while self.command.output.count(f'"event":"{event}"') < times:
                await asyncio.sleep(0.02)

    def processes(self) -> list[Path]:
        """In /proc, of the command and of all that it started."""
        found, asked = [], [self.command.process.pid]
        while asked:
            place = Path(f"/proc/{asked.pop()}")
            found.append(place)
            for children in place.glob("task/*/children"):
                asked += map(int, children.read_text("ascii").split())
        return found

    def workers(self) -> list[Path]:
        return [
            each for each in self.processes() if b"\0worker\0" in (each / "cmdline").read_bytes()
        ]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    canary = Canaries()
    canary.give("tenant's key", new_key("test"))
    file = folder / "spillgate.yaml"
    arguments = ("serve", "--config", file.name, "--port", "0", "--admin-port", "0")
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        scripted(upstreams(canary)) as upstream,
        aiohttp.ClientSession(connector=connector) as http,
    ):
        file.write_text(yaml.safe_dump(config(canary, upstream.url)), "utf-8")
        given = environment(canary)
        with spillgate(*arguments, "--workers", "2", cwd=folder, **given) as command:
            said = await asyncio.to_thread(command.logged, "serving")
            yield Served(command, canary, upstream, http, said["data"], said["admin"], file)


def bad_files(canary: Canaries, good: Mapping[str, Any]) -> Iterator[str]:
    """Secrets in wrong places, of wrong kinds, and in what is no YAML."""
    for number, section in enumerate(wrong_sections(canary)):
        yield yaml.safe_dump({**good, **section})
        yield f"{yaml.safe_dump(good)}\n{canary(f'no YAML {number}')}: [\n"


def wrong_sections(canary: Canaries) -> Iterator[dict[str, Any]]:
    """What a person mistypes, with a secret in it."""
    yield {"admin": {"key": [canary("a list")]}}
    yield {"admin": {"kee": canary("a wrong name")}}
    yield {"redis": {"url": f"http://:{canary('a wrong scheme')}@x"}}
    yield {"redis": f"redis://:{canary('no section')}@x"}
    yield {"keys": {"pepper": {"value": canary("a mapping")}}}
    yield {"budgets": {"webhook": f"ftp://{canary('a wrong webhook')}"}}
    yield {"tenants": {"team": {"keys": canary("no list of keys")}}}
    yield {"tenants": {"team": {"keys": [canary("no key"), f"spg_{canary('no key either')}"]}}}
    yield {"tracing": {"endpoint": f"http://u:{canary('credentials in a URL')}@x"}}
    yield {"tracing": {"endpoint": "http://x", "headers": {"A B": canary("a wrong header")}}}
    yield {"tracing": {"azure_monitor": canary("no connection string")}}
    yield {"usage_export": {"otlp": {"endpoint": "x", "headers": [canary("no headers")]}}}
    yield {"anomalies": {"webhook": {"url": canary("no URL")}}}
    yield {"deployments": {"x": {"auth": {"api_key": canary("half a deployment"), "key": 1}}}}
    yield {"deployments": {"x": {"auth": canary("no auth")}}}
    yield {"deployments": {"x": {"auth": {"entra": {"client_secret": canary("no such field")}}}}}
    yield {"admin": {"key": f"${{{canary('no variable')}}}{canary('beside a variable')}"}}


#: What names a thing may be told: without it nobody finds the mistake.
NAMES: Final = frozenset({"no variable"})


async def trouble(it: Served) -> None:
    """Requests that are answered, refused and fail."""
    for number in range(6):
        assert await it.chat(f"answered {number}", "answers") == 200
    assert await it.chat("repeated", "repeats") == 500
    assert it.canary("deployment key: repeats") in it.upstream.heads["repeats"]
    for header, value in {
        "api-key": it.canary("stranger's key"),
        "authorization": f"Bearer {it.canary('bearer')}",
    }.items():
        assert await it.chat("stranger", "answers", **{header: value}) == 401
    url = f"{it.admin}/admin/v1/tenants/{it.canary('no tenant')}"
    for wrong in (OWNER, {"authorization": f"Bearer {it.canary('admin key')}"}):
        async with it.http.get(url, headers=wrong) as answer:
            assert answer.status == 401


async def kill_one(it: Served) -> None:
    """Kill a worker, and wait for the next."""
    victim = it.workers()[0]
    os.kill(int(victim.name), signal.SIGKILL)
    await it.said("worker_ended")
    async with asyncio.timeout(60):
        while len(it.workers()) < 2 or victim in it.workers():
            await asyncio.sleep(0.05)


async def reload_badly(it: Served) -> None:
    """Each mistake is told; a worker that comes back meanwhile has what is in force."""
    good = yaml.safe_load(it.file.read_text("utf-8"))
    some = islice(bad_files(it.canary, good), 0, None, 3)  # all of them are checked below
    for number, text in enumerate(some, start=1):
        it.file.write_text(text, "utf-8")
        await it.said("config not reloaded", number)
    await kill_one(it)
    it.file.write_text(yaml.safe_dump({**good, "logs": {"level": "info"}}), "utf-8")
    await it.said("config reloaded", 3)


@NO_SERVER
async def test_workers_and_who_keeps_them_say_nothing(tmp_path: Path) -> None:
    """In their logs, their command lines, and the files that they leave; a killed one, too."""
    async with serving(tmp_path) as it:
        await trouble(it)
        await reload_badly(it)
        lines = [(each / "cmdline").read_bytes().decode() for each in it.processes()]
        assert len(lines) > 3, "who keeps them, two workers, and Redis"
        await asyncio.to_thread(it.command.end)
        assert it.command.process.returncode == 0
        assert it.canary.found_in("\n".join(lines)) == set()
        assert it.canary.found_in(it.command.output) <= NAMES
        assert it.canary.found_in(files_under(tmp_path / ".spillgate")) == set()


def test_a_check_names_no_secret(tmp_path: Path) -> None:
    """Whatever is wrong with it; each wrong file is found to be wrong."""
    canary, file = Canaries(), tmp_path / "spillgate.yaml"
    canary.give("tenant's key", new_key("test"))
    good = config(canary, "https://x.example")
    file.write_text(yaml.safe_dump(good), "utf-8")
    found = check(file, environment(canary))
    assert found.exit_code == 0, found.lines
    said = [*found.lines]
    for text in bad_files(canary, good):
        file.write_text(text, "utf-8")
        found = check(file, environment(canary))
        assert found.exit_code == 2, text
        said += found.lines
    assert canary.found_in("\n".join(said)) == NAMES


@NO_SERVER
async def test_a_start_that_fails_names_no_secret(tmp_path: Path) -> None:
    """A probe of upstreams that repeat their keys, a first config of them, a Redis out of reach."""
    canary = Canaries()
    canary.give("tenant's key", new_key("test"))
    given = environment(canary) | {"AZURE_OPENAI_API_KEY": canary("deployment key: repeats")}
    async with scripted(upstreams(canary)) as upstream:
        redis = {"url": f"redis://:{canary('redis password')}@127.0.0.1:9"}
        text = yaml.safe_dump(config(canary, upstream.url, redis=redis))
        (tmp_path / "spillgate.yaml").write_text(text, "utf-8")
        said = ""
        for arguments in (
            ("check", "--config", "spillgate.yaml", "--probe"),
            ("init", "--endpoint", f"{upstream.url}/repeats"),
        ):
            with spillgate(*arguments, cwd=tmp_path, **given) as command:
                await asyncio.to_thread(command.process.wait, 60)
                await asyncio.to_thread(command.end)
                assert command.process.returncode != 0
                said += command.output
        assert {"answers", "repeats"} == set(upstream.heads)
    assert canary.found_in(said) == {"upstream says"}, "so that one knows what is wrong"


async def test_admin_commands_name_no_secret(empty_redis_url: str) -> None:
    """The key that they are called with, whoever answers; and what is behind the gateway."""
    async with planted(empty_redis_url) as it:
        team, own = f"team-{it.team.suffix}", it.canary("command's key")
        receipt = await it.ask(CHAT, conversation(it.canary, "chat"))
        await it.everything_is_written()
        good = {
            "SPILLGATE_ADMIN_URL": it.team.process.admin_url,
            "SPILLGATE_ADMIN_KEY": it.canary("owner key"),
        }
        reads = (
            *(("tenant", "list"), ("tenant", "show", team), ("key", "list", team)),
            *(("limit", "list", team), ("usage", "ledger", "--since", "1h"), ("admin", "list")),
            *(("usage",), ("deployment", "list"), ("audit", "list"), ("audit", "verify")),
            *(("explain", receipt.request_id), ("cache", "list", team), ("cache", "totals")),
        )
        asked = [(*command, *form) for command in reads for form in ((), ("--json",))]
        said = [await asyncio.to_thread(printed, good, *each) for each in asked]
        assert receipt.request_id in "\n".join(said)
        words = json.dumps({"error": {"message": f"{own} said", "code": own, "param": own}})
        page = f"HTTP/1.1 500 {own}\r\ncontent-length: {len(words)}\r\n\r\n{words}".encode()
        async with blurting(page) as rambling, blurting(own.encode() * 9) as garbage:
            for url in (
                *(f"http://{rambling.url}", f"https://{garbage.url}", f"http://{garbage.url}"),
                *("http://127.0.0.1:9", f"http://x:{own}@127.0.0.1:9", it.team.process.admin_url),
            ):
                wrong = {"SPILLGATE_ADMIN_URL": url, "SPILLGATE_ADMIN_KEY": own}
                said.append(await asyncio.to_thread(printed, wrong, "tenant", "list"))
            assert rambling.connections == 1
            assert garbage.connections == 2
        assert it.canary.found_in("\n".join(said)) == set()


def printed(given: Mapping[str, str], *arguments: str) -> str:
    result = run_with(Surroundings(lambda: given), *arguments)
    return f"{result.out}\n{result.err}"
