"""A canary for every secret there is, sealed in the file: found in nothing that is written.

One gateway of several processes, as it is run: its configuration holds all secrets sealed, for some
by way of a variable or another file. Requests are served, refused and fail, by upstreams and a
Content Safety that repeat what they were sent; reloads fail; a worker is killed; commands check,
probe, seal, verify and rotate. Then every file is searched but those two that hold a key by their
nature, every key of Redis, what was printed, traced, counted and answered.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml
from typer.testing import CliRunner

from app.adapters.redis.embedded_binaries import installed_binaries
from app.bootstrap.probing import probed
from app.cli.check import Probe, check
from app.cli.key import new_key
from app.cli.secret import secret_commands
from app.cli.session import Surroundings
from app.settings import ConfigProblems, load
from app.settings.sealed import MasterKey, MasterKeys
from tests.e2e.command import Spillgate, spillgate
from tests.e2e.planted import CHAT, conversation
from tests.e2e.scripted import Script, Scripted, scripted
from tests.e2e.sinks import Canaries, redis_texts, redis_user, unpacked
from tests.fakes.certificates import Authority
from tests.fakes.content_safety import FakeContentSafety, content_safety
from tests.fakes.trace_receiver import TraceReceiver, trace_receiver

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)

#: They are keys, as files: whoever may read them has what they open.
KEYS: Final = frozenset({"master.key", "tls.key"})
NEWER: Final = MasterKey.of(b"n" * 32)


@dataclass(slots=True)
class Vault:
    """A directory with a configuration, all of its secrets canaries and sealed."""

    folder: Path
    canary: Canaries = field(default_factory=Canaries)
    master: MasterKey = field(default_factory=lambda: MasterKey.of(os.urandom(32)))
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.folder / "spillgate.yaml"

    def sealed(self, record: str, secret: str) -> str:
        """As it stands in the file."""
        return MasterKeys([self.master]).seal(secret, record, os.urandom)

    def by_variable(self, record: str, secret: str) -> str:
        """The same by way of a variable."""
        name = f"SEALED_{len(self.environment)}"
        self.environment[name] = self.sealed(record, secret)
        return f"${{{name}}}"

    def by_file(self, record: str, secret: str) -> str:
        """The same by way of a file."""
        path = self.folder / f"sealed-{len(list(self.folder.iterdir()))}"
        path.write_text(self.sealed(record, secret))
        return f"${{file:{path.name}}}"

    def secret(self, *arguments: str, given: str = "") -> str:
        """What a command about secrets says, both ways, and whether it was well."""
        surroundings = Surroundings(lambda: os.environ | self.environment)
        result = CliRunner().invoke(secret_commands(), arguments, input=given, obj=surroundings)
        return f"{result.stdout}\n{result.stderr}\n{result.exception!r}\nexit {result.exit_code}"

    def checked(self, probe: Probe | None = None) -> str:
        """What `spillgate check` says, with `--probe` where that is given."""
        found = check(self.file, os.environ | self.environment, probe=probe)
        return "\n".join([*found.lines, f"exit {found.exit_code}"])

    def written(self) -> str:
        """Every file, but those that are keys."""
        files = [each for each in self.folder.rglob("*") if each.is_file()]
        assert len(files) > 5, "there is something to be searched"
        return "\n".join(
            f"{each}\n{unpacked(each.read_bytes())}" for each in files if each.name not in KEYS
        )


@dataclass(frozen=True, slots=True)
class World:
    """What is around the gateway."""

    redis_url: str
    upstream: Scripted
    safety: FakeContentSafety
    traces: TraceReceiver


def config(vault: Vault, world: World) -> dict[str, Any]:
    """Every kind of secret that a configuration has."""
    canary, azure = vault.canary, {"kind": "paygo", "model": "gpt-4o", "tpm": 100_000_000}
    names = ("answers", "repeats")
    auth = {
        name: {"api_key": vault.sealed(f"deployments.{name}.auth.api_key", canary(f"key: {name}"))}
        for name in names
    }
    tenant_key = canary.give("tenant's key", new_key("test"))
    header = f"Bearer {canary('trace header')}"
    return {
        "listen": {"tls": {"cert": "tls.pem", "key": "tls.key"}, "workers": 2},
        "secrets": {"master_keys": ["${file:master.key}"]},
        "redis": {"url": vault.by_file("redis.url", world.redis_url)},
        "ledger": {"archive": str(vault.folder / "ledger")},
        "admin": {"key": vault.by_variable("admin.key", canary("owner key"))},
        "keys": {"pepper": vault.sealed("keys.pepper", canary("pepper"))},
        "budgets": {
            "webhook": vault.sealed("budgets.webhook", f"http://127.0.0.1:9/{canary('webhook')}"),
            "alert_at": [1e-6],
        },
        "tracing": {
            "endpoint": world.traces.url,
            "sample": 1,
            "headers": {
                "authorization": vault.by_file("tracing.headers.authorization", header)
            },
            "export": {"delay_s": 0.05},
        },
        "usage_export": {
            "otlp": {
                "endpoint": "http://127.0.0.1:9",
                "headers": {
                    "x-key": vault.sealed("usage_export.otlp.headers.x-key", canary("export"))
                },
            }
        },
        "content_safety": {
            "endpoint": world.safety.url,
            "auth": {
                "api_key": vault.sealed("content_safety.auth.api_key", canary("safety key"))
            },
        },
        "deployments": {
            **{
                name: azure | {"endpoint": f"{world.upstream.url}/{name}", "auth": auth[name]}
                for name in names
            },
            "entra": azure | {"endpoint": "https://127.0.0.1:9", "auth": {"entra": {}}},
        },
        "models": {name: {"tiers": [[name]]} for name in (*names, "entra")},
        "tenants": {
            "team": {
                "keys": [vault.sealed("tenants.team.keys[0]", tenant_key)],
                "limits": {"usd_per_day": 1},
                "policy": {
                    "patterns": {"secret": {"pattern": "forbidden word"}},
                    "content_safety": {"failure": "open", "hate": 4, "prompt_shield": True},
                },
            }
        },
        "logs": {"level": "debug"},
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
    }  # fmt: skip


def furnish(vault: Vault, world: World) -> None:
    """Write the files; of the private key a line in its middle is looked for."""
    certificate, key = Authority(vault.folder).issued("127.0.0.1")
    (vault.folder / "tls.pem").write_bytes(certificate)
    (vault.folder / "tls.key").write_bytes(key)
    vault.canary.give("tls key", key.decode().splitlines()[1])
    vault.canary.give("master key", vault.master.text)
    (vault.folder / "master.key").write_text(vault.master.text)
    vault.environment |= {
        "AZURE_TENANT_ID": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "AZURE_CLIENT_ID": "0b07f429-9f4b-4714-9392-cc5e8e80c8b0",
        "AZURE_CLIENT_SECRET": vault.canary("entra secret"),
        "AZURE_AUTHORITY_HOST": "https://127.0.0.1:9",
    }
    vault.file.write_text(yaml.safe_dump(config(vault, world)))


@asynccontextmanager
async def world(vault: Vault, redis_url: str) -> AsyncIterator[World]:
    """An upstream that answers and one that repeats its key, Content Safety, Redis, a receiver."""
    words = f"{vault.canary('key: repeats')} {vault.canary('upstream says')}"
    good = b'{"id": "c", "choices": [], "usage": {"prompt_tokens": 1}}'
    bad = f'{{"error": {{"message": "{words}", "type": "{words}", "code": "{words}"}}}}'.encode()
    scripts = {"answers": _whole("200 OK", good), "repeats": _whole("500 No", bad)}
    async with (
        scripted(scripts) as upstream,
        content_safety() as safety,
        trace_receiver() as traces,
        redis_user(redis_url, vault.canary("redis password")) as own_url,
    ):
        yield World(own_url, upstream, safety, traces)


def _whole(status: str, body: bytes) -> Script:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n"
    return Script((head.encode() + body,))


@dataclass(slots=True)
class Serving:
    """The gateway, and what it answers."""

    vault: Vault
    world: World
    command: Spillgate
    http: aiohttp.ClientSession
    data: str
    admin: str
    answers: list[str] = field(default_factory=list)

    async def chat(self, place: str, model: str, key: str | None = None, text: str = "") -> int:
        """One request; its answer must not hold what is the gateway's own."""
        body = conversation(self.vault.canary, place) | {"model": model}
        body["messages"][-1]["content"] += text
        headers = {"api-key": key or self.vault.canary("tenant's key")}
        async with self.http.post(f"{self.data}{CHAT}", json=body, headers=headers) as answer:
            said = f"{answer.headers}\n{await answer.text()}"
            ours = {each for each in self.vault.canary.places if not each.startswith(place)}
            found = self.vault.canary.found_in(said) & ours
            assert found <= {"upstream says"}, said
            return answer.status

    async def owner(self, path: str) -> None:
        """What its owner is answered."""
        headers = {"authorization": f"Bearer {self.vault.canary('owner key')}"}
        async with self.http.get(f"{self.admin}{path}", headers=headers) as answer:
            assert answer.status == 200, path
            self.answers.append(f"{answer.headers}\n{await answer.text()}")

    async def said(self, event: str, times: int = 1) -> None:
        """Wait until the log has so many lines of an event."""
        async with asyncio.timeout(60):
            while self.command.output.count(f'"event":"{event}"') < times:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(vault: Vault, around: World) -> AsyncIterator[Serving]:
    arguments = ("serve", "--config", vault.file.name, "--port", "0", "--admin-port", "0")
    trust = ssl.create_default_context(cafile=vault.folder / "authority.pem")
    connector = aiohttp.TCPConnector(force_close=True, ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as http:
        with spillgate(*arguments, cwd=vault.folder, **vault.environment) as command:
            told = await asyncio.to_thread(command.logged, "serving")
            yield Serving(vault, around, command, http, told["data"], told["admin"])


async def requests(it: Serving) -> None:
    """Served, refused by everything that refuses, and failed."""
    for number in range(4):
        assert await it.chat(f"served {number}", "answers") == 200
    assert await it.chat("refused", "answers", text=" forbidden word") == 400
    assert await it.chat("harmful", "answers", text=" hatred") == 400
    it.world.safety.status = 500  # and it repeats what it was sent
    assert await it.chat("unchecked", "answers") == 200
    it.world.safety.status = 200
    assert it.vault.canary("safety key") in repr(it.world.safety.seen)
    assert await it.chat("repeated", "repeats") == 500
    assert await it.chat("stranger", "answers", key=it.vault.canary("stranger's key")) == 401


def mistakes(vault: Vault) -> Iterator[str]:
    """The file with something wrong at the very line of a secret."""
    good = vault.file.read_text()
    sealed = yaml.safe_load(good)["keys"]["pepper"]
    east = yaml.safe_load(good)["deployments"]["answers"]["auth"]["api_key"]
    yield good.replace(sealed, sealed[:-9])  # cut
    yield good.replace(sealed, east)  # moved
    yield good.replace(sealed, f"{sealed}\n  {vault.canary('no YAML')}: [")
    yield good.replace(f"pepper: {sealed}", f"papper: {vault.canary('a wrong name')}")
    yield good.replace("${file:master.key}", vault.canary("no master key"))
    yield f"{good}\nmetrics: {{most_tenants: '{sealed}'}}\n"  # where no secret is kept


async def failing_reloads(it: Serving) -> None:
    """Each mistake is told; afterwards the good file is in force again."""
    good = it.vault.file.read_text()
    some = islice(mistakes(it.vault), 0, None, 3)  # the commands see all of them
    for number, text in enumerate(some, start=1):
        it.vault.file.write_text(text)
        await it.said("config not reloaded", number)
    it.vault.file.write_text(good.replace("level: debug", "level: info"))
    await it.said("config reloaded", 3)


async def kill_a_worker(it: Serving) -> None:
    """As a crash does: whatever it prints in its last moment is in the log."""
    place = Path(f"/proc/{it.command.process.pid}")
    children = [
        int(child)
        for each in place.glob("task/*/children")
        for child in each.read_text("ascii").split()
    ]
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    it.answers += [line.decode() for line in lines.values()]
    worker = next(pid for pid, line in lines.items() if b"\0worker\0" in line)
    os.kill(worker, signal.SIGABRT)
    await it.said("worker_ended")


def commands(vault: Vault) -> str:
    """Those that read the configuration, well and not; none is given a secret on its line."""
    config, canary = ("--config", str(vault.file)), vault.canary
    pepper, nowhere = ("--record", "keys.pepper"), ("--record", "no.place")
    said = [
        vault.secret("verify", *config),
        vault.secret("seal", *config, *pepper, given=canary("to be sealed")),
        vault.secret("seal", *config, *nowhere, given=canary("not to be sealed")),
        vault.checked(),
    ]
    assert [each.rstrip()[-1] for each in said] == ["0", "0", "2", "0"]
    good = vault.file.read_text()
    for text in mistakes(vault):
        vault.file.write_text(text)
        wrong = [vault.checked(), vault.secret("verify", *config)]
        assert any(each.endswith("exit 2") for each in wrong)
        said += wrong
    vault.file.write_text(good)
    without = yaml.safe_load(good)  # Entra ID, which would be waited for
    del without["deployments"]["entra"], without["models"]["entra"]
    vault.file.write_text(yaml.safe_dump(without))
    said.append(vault.checked(probed))
    vault.file.write_text(good)
    return "\n".join(said)


def rotated(vault: Vault) -> str:
    """Under a newer key, which is another file of its own."""
    (vault.folder / "master.key").write_text(NEWER.text)
    older = vault.canary("master key")
    vault.environment["OLDER"] = older
    text = vault.file.read_text().replace("- ${file:master.key}", "- ${file:master.key}\n  - $OLD")
    vault.file.write_text(text.replace("$OLD", "${OLDER}"))
    said = vault.secret("rotate", "--config", str(vault.file))
    assert said.endswith("exit 0"), said
    assert vault.file.read_text().count(NEWER.id) >= 6
    return said


def in_process(vault: Vault) -> str:
    """The settings and their mistakes as a debugger, a log or a dump would have them."""
    environment = os.environ | vault.environment
    settings = load(vault.file, environment)
    texts = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())]
    for text in mistakes(vault):
        path = vault.folder / "wrong.yaml"
        path.write_text(text)
        with pytest.raises(ConfigProblems) as caught:
            load(path, environment)
        texts.append(f"{caught.value!r} {caught.value}")
        path.unlink()
    return "\n".join(texts)


async def test_no_secret_is_in_anything_that_is_written(tmp_path: Path, redis_url: str) -> None:
    """The point of sealing: with every file but the key itself, nobody has anything."""
    vault, sinks = Vault(tmp_path), dict[str, str]()
    async with world(vault, redis_url) as around:
        furnish(vault, around)
        async with serving(vault, around) as it:
            await requests(it)
            await kill_a_worker(it)
            await failing_reloads(it)
            paths = ("me", "tenants", "tenants/team/keys", "deployments", "audit", "openapi.json")
            for path in paths:
                await it.owner(f"/admin/v1/{path}")
            await it.owner("/metrics")
            await asyncio.to_thread(it.command.end)
            sinks["answers"], sinks["log"] = "\n".join(it.answers), it.command.output
        sinks["traces"] = "\n".join(around.traces.raw)
        sinks["redis keys"], sinks["redis"] = await redis_texts(redis_url)
        sinks["commands"] = await asyncio.to_thread(commands, vault)
    sinks["settings"] = in_process(vault)
    sinks["rotation"] = await asyncio.to_thread(rotated, vault)
    sinks["files"] = vault.written()
    kept = "\n".join((tmp_path / name).read_text() for name in KEYS)
    assert vault.canary.found_in(kept + NEWER.text) == {"tls key"}, "what is there is found"
    assert sinks["traces"], "something was traced"
    found = {name: vault.canary.found_in(text) for name, text in sinks.items()}
    assert found == {name: TOLD.get(name, set()) for name in sinks}


#: What an upstream says, without which nobody finds out what is wrong with it.
TOLD: Final[dict[str, set[str]]] = {"commands": {"upstream says"}}
