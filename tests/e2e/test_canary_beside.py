"""What is planted is in no sink of what is beside plain requests: hedges, outages, exports."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from arro3.io import read_parquet
from redis.asyncio import Redis

from app.adapters.archive.archive import Archive
from app.adapters.archive.export import Format
from app.adapters.clock import SystemClock
from app.adapters.embedder.local import DEFAULT, missing
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.usage_export.files import STATE, FileExporter, FileOptions
from app.domain.cache.outcome import CacheResult
from app.domain.ledger.export_plan import Every
from app.domain.ledger.ledger_row import encode
from app.domain.routing.attempt import Verdict
from tests.e2e.canned import lead_to
from tests.e2e.planted import CHAT, Planted, conversation, planted, usual
from tests.e2e.scripted import Script, scripted
from tests.e2e.sinks import OWNER, Canaries, read_if_there
from tests.e2e.stack import eventually, ptu_and_paygo
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.listening import listening
from tests.fakes.log_receiver import LogReceiver, log_receiver

HOUR_S = 3600


def two_equals(suffix: str, _canary: Canaries) -> dict[str, Any]:
    """Of which the first is asked nearly always; half of all streams may be hedged."""
    azure = {"endpoint": "https://x.openai.azure.com", "kind": "paygo", "tpm": 100_000_000}
    azure |= {"model": "gpt-4o", "deployment": "gpt-4o"}
    hedging = {"enabled": True, "after_s": 0.1, "classes": ["standard"], "percent": 50}
    return {
        "deployments": {f"{name}-{suffix}": dict(azure) for name in ("a", "b")},
        "models": {"gpt-4o": {"tiers": [{f"a-{suffix}": 1_000_000, f"b-{suffix}": 1}]}},
        "routing": {"hedging": hedging},
        "timeouts": {"first_byte_s": 30},
    }


def answers(canary: Canaries, name: str, after_s: float = 0.0) -> Script:
    """A stream of one chunk."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    said = f'{{"choices": [{{"index": 0, "delta": {{"content": "{canary(f"{name} says")}"}}}}]}}'
    return Script((head, f"data: {said}\n\n".encode(), b"data: [DONE]\n\n"), after_s=after_s)


def repeats(
    canary: Canaries, name: str, after_s: float = 0.0, *, prompt: str = "", status: str = "500 Oh"
) -> Script:
    """A failure in the words of what it was sent."""
    key = canary(f"deployment key: {name}")
    words = f"{key} {canary(f'{name} fails')} {prompt}"
    error = {"message": words, "type": words, "code": key}
    body = json.dumps({"error": error, "data": words}).encode()
    head = f"HTTP/1.1 {status}\r\nx-key: {words}\r\ncontent-length: {len(body)}\r\n\r\n"
    return Script((head.encode() + body,), after_s=after_s)


async def test_neither_racer_is_quoted(empty_redis_url: str) -> None:
    """One is given up, one fails beside an answer, both fail: and each was asked."""
    accepted, failed, given_up = Verdict.ACCEPT, Verdict.FAILED, Verdict.HEDGED
    scripts: dict[str, Script] = {}
    async with planted(empty_redis_url, two_equals) as it, scripted(scripts) as upstream:
        await lead_all_to(it, upstream.url)

        async def raced(place: str, a: Script, b: Script) -> list[tuple[str, Verdict]]:
            scripts.update(a=answers(it.canary, "a"), b=answers(it.canary, "b"))
            for _ in range(3):  # they pay for a hedge
                await it.ask(CHAT, conversation(it.canary, "quick", stream=True))
            scripts.update(a=a, b=b)
            receipt = await it.ask(CHAT, conversation(it.canary, place, stream=True))
            for name in ("a", "b"):
                assert it.canary(f"{place}: prompt").encode() in upstream.bodies[name], place
                assert it.canary(f"deployment key: {name}") in upstream.heads[name], place
            return [(each.deployment[0], each.verdict) for each in receipt.attempts]

        late, quick = repeats(it.canary, "a", 20), answers(it.canary, "b")
        assert await raced("given up", late, quick) == [("a", given_up), ("b", accepted)]
        late, fails = answers(it.canary, "a", 0.5), repeats(it.canary, "b")
        assert await raced("one fails", late, fails) == [("b", failed), ("a", accepted)]
        late = repeats(it.canary, "a", 0.5)
        assert await raced("both fail", late, fails) == [("b", failed), ("a", failed)]
        await it.everything_is_written()
        assert await it.found() == {}


async def lead_all_to(it: Planted, url: str) -> None:
    """Every deployment is reached there, at a path that begins with its name."""
    settings = it.team.process.current.settings
    deployments = {
        name: each.model_copy(
            update={"endpoint": f"{url}/{name.removesuffix(f'-{it.team.suffix}')}"}
        )
        for name, each in settings.deployments.items()
    }
    await it.team.process.reload(settings.model_copy(update={"deployments": deployments}))


MEANT = "How do I reset my password for {}?", "how do i reset my password for {}"


@pytest.mark.skipif(bool(missing(DEFAULT)), reason=missing(DEFAULT) or "it is there")
async def test_what_is_cached_by_meaning_is_in_the_cache_alone(empty_redis_url: str) -> None:
    """Prompt and answer are values there; no key, index or metric of it names them."""

    def config(suffix: str, _canary: Canaries) -> dict[str, Any]:
        rule = {"enabled": True, "sample_rate": 1.0}
        return ptu_and_paygo(suffix) | {"cache": {"semantic": rule, "semantic_lookup_ms": 5000}}

    async with planted(empty_redis_url, config) as it:
        index = it.team.process.resources.cached.answers.index
        assert index is not None
        await eventually(lambda: index.trouble is None)
        asked = [
            {
                "model": "gpt-4o",
                "max_tokens": 40,
                "messages": [{"role": "user", "content": text.format(it.canary("meant: prompt"))}],
                "user": it.canary("meant: user"),
            }
            for text in MEANT
        ]
        async with asyncio.timeout(60):
            while (await it.ask(CHAT, asked[1])).cache.result is not CacheResult.SEMANTIC:
                await it.ask(CHAT, asked[0])
                await it.team.process.resources.cached.answers.settled()
        await eventually(lambda: any(each.errand for each in it.team.receipts.kept))
        await it.everything_is_written()
        await only_in_the_cache(it, {"meant: prompt"})
        assert await it.found() == {"redis": {"meant: prompt"}}  # it was found by its meaning


async def only_in_the_cache(it: Planted, places: set[str]) -> None:
    """What is planted there is at most in values of kept answers; which are kept is not asked."""
    found = await it.found()
    assert set(found) <= {"redis"}, found
    assert found.get("redis", set()) <= places, found
    lines = (await it.sinks.texts())["redis"].splitlines()
    holding = [line for line in lines if it.canary.found_in(line) & places]
    assert all(line.startswith("b'spillgate:answers:") for line in holding), holding


async def test_an_embedder_that_fails_is_not_quoted(empty_redis_url: str) -> None:
    """It repeats its key and the text; requests are served without it, and its error is told."""

    def config(suffix: str, canary: Canaries) -> dict[str, Any]:
        made = usual(suffix, canary)
        cache = {"semantic": {"enabled": True}, "embedder": {"model": "embed"}}
        return made | {"cache": cache | {"semantic_lookup_ms": 5000}}

    scripts: dict[str, Script] = {}
    async with planted(empty_redis_url, config) as it, scripted(scripts) as upstream:
        await lead_to(it.team, "embed", f"{upstream.url}/embed")
        statuses = ("500 Oh", "200 OK", "401 No", "429 Full")
        places = {f"embedded, {status}: prompt" for status in statuses}
        for status in statuses:
            prompt = it.canary(f"embedded, {status}: prompt")
            scripts["embed"] = repeats(it.canary, "embed", prompt=prompt, status=status)
            said = [{"role": "user", "content": f"Say {prompt}!"}]
            body = {"model": "gpt-4o", "max_tokens": 5, "messages": said}
            receipt = await it.ask(CHAT, body)
            assert receipt.cache.reason == "embedder_unavailable"
            assert it.canary("deployment key: embed") in upstream.heads["embed"]
            assert prompt.encode() in upstream.bodies["embed"], status
        await it.everything_is_written()
        assert '"embedder_failed"' in it.sinks.log.getvalue()
        await only_in_the_cache(it, places)


@pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
async def test_what_waits_for_redis_holds_no_secret(tmp_path: Path) -> None:
    """Frozen: requests served on credit are spooled, and settled later. Then it is killed."""

    def impatient(suffix: str, _canary: Canaries) -> dict[str, Any]:
        return ptu_and_paygo(suffix) | {"redis": {"operation_timeout_ms": 300}}

    async with embedded_redis(tmp_path / "redis") as server, Redis.from_url(server.url) as redis:
        pid = int((await redis.info("server"))["process_id"])
        async with planted(server.url, impatient) as it:
            await it.served(CHAT, conversation(it.canary, "before"))
            with stopped(pid):
                await outage(it, "frozen")
                await eventually(lambda: spool_of(it))
                assert it.canary.found_in(it.sinks.files()) == set()
            await it.everything_is_written()
            assert await it.found() == {}
            os.kill(pid, signal.SIGKILL)
            await outage(it, "killed")
            await eventually(lambda: spool_of(it))
            for text in (it.sinks.log.getvalue(), it.sinks.files(), *it.sinks.traces.raw):
                assert it.canary.found_in(text) == set()


def spool_of(it: Planted) -> list[Path]:
    """Files with settlements that wait for Redis."""
    ledger = it.team.process.current.settings.ledger
    assert ledger is not None
    spools = Path(ledger.archive, "spool").glob("*.spool")
    return [path for path in spools if read_if_there(path)]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def outage(it: Planted, place: str) -> None:
    """Requests while Redis is away, and what the admin API says of it."""
    for number in range(4):
        body = conversation(it.canary, f"{place}: {number}", stream=bool(number % 2))
        heard = await it.send(CHAT, body, **it.key)
        assert (heard.status, "x-spillgate-degraded" in heard.text.lower()) == (200, True)
    url = f"{it.team.process.admin_url}/admin/v1/tenants/team-{it.team.suffix}"
    body = {"tags": {"a": it.canary(f"{place}: tenant tag")}}
    async with it.team.http.patch(url, json=body, headers=OWNER) as answer:
        assert answer.status == 503
        assert it.canary.found_in(await answer.text()) == set()


@dataclass(slots=True)
class Hook:
    """A receiver of webhooks: what it was sent, headers included, and what it answers."""

    status: int
    words: str
    heard: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.heard.append(f"{dict(request.headers)}\n{await request.text()}")
        return web.Response(status=self.status, text=self.words)


@asynccontextmanager
async def hooks(canary: Canaries) -> AsyncIterator[tuple[str, Hook, Hook]]:
    """One that answers, one that fails; their URL without the path, which holds a secret."""
    budgets = Hook(200, canary("budget hook says"))
    anomalies = Hook(500, canary("anomaly hook says"))
    app = web.Application()
    app.router.add_post("/budgets/{secret}", budgets.take)
    app.router.add_post("/anomalies/{secret}", anomalies.take)
    async with listening(app) as url:
        yield url, budgets, anomalies


def write_history(archive: Path, tenant: str) -> None:
    """A quiet week and more, a row an hour, so that today is out of the ordinary."""
    now = time.time()
    rows = [
        ledger_row(f"h{hour}", tenant=tenant, at=now - hour * HOUR_S)
        for hour in range(9 * 24, 0, -1)
    ]
    with Archive.open(archive, SystemClock()) as opened:
        opened.append(tenant, [(f"{number}-0", encode(row)) for number, row in enumerate(rows, 1)])


async def test_exports_and_webhooks_tell_numbers(empty_redis_url: str, tmp_path: Path) -> None:
    """Rows as OTLP records, CSV and Parquet; alerts to who answers, and to who fails."""
    archive, told = tmp_path / "archive", Canaries()
    async with log_receiver() as receiver, hooks(told) as (url, budgets, anomalies):
        receiver.statuses.append(500)

        def config(suffix: str, canary: Canaries) -> dict[str, Any]:
            write_history(archive, f"team-{suffix}")
            headers = {"authorization": f"Bearer {canary('export header')}"}
            least = {"requests": 1, "tokens": 1, "usd": 1e-9}
            hook = f"{url}/anomalies/{canary('webhook: anomalies')}"
            return ptu_and_paygo(suffix) | {
                "ledger": {"archive": str(archive)},
                "usage_export": {"otlp": {"endpoint": receiver.url, "headers": headers}},
                "budgets": {
                    "webhook": f"{url}/budgets/{canary('webhook: budgets')}",
                    "alert_at": [1e-6],
                },
                "anomalies": {"least": least, "every_s": 1, "score": 2, "webhook": hook},
            }

        async with planted(empty_redis_url, config) as it:
            await begun(it)
            tags = {"x-spillgate-tags": f"team={it.canary('tag')}"}
            for number in range(30):
                await it.served(CHAT, conversation(it.canary, f"chat {number}"), **tags)
            await it.everything_is_written()
            await eventually(lambda: len(receiver.records) >= 30)
            await eventually(lambda: budgets.heard)
            await eventually(lambda: '"usage_anomaly_not_delivered"' in it.sinks.log.getvalue())
            assert len(anomalies.heard) == 3
            await look(it, receiver, [*budgets.heard, *anomalies.heard], tmp_path)
            assert told.found_in(it.sinks.log.getvalue()) == set()


async def begun(it: Planted) -> None:
    """Wait until it is known where the export of rows begins."""
    async with asyncio.timeout(60):
        while 'export_timestamp_seconds{sink="otlp"}' not in (await it.sinks.texts())["metrics"]:
            await asyncio.sleep(0.02)


async def look(it: Planted, receiver: LogReceiver, told: list[str], folder: Path) -> None:
    """Tags are exported, and nothing else that was planted; webhooks tell nothing of it."""
    exported = {form: exported_as(form, folder) for form in Format}
    records = f"{receiver.records} {receiver.resources} {receiver.bodies}"
    assert all(it.canary.found_in(text) == {"tag"} for text in (*exported.values(), records))
    assert it.canary.found_in("\n".join(told)) == set()
    assert await it.found() == {}


def exported_as(form: Format, folder: Path) -> str:
    """All rows, as if the day were over; the files' names, manifests and contents."""
    archive, target = folder / "archive", folder / form.value
    target.mkdir()
    (archive / STATE).unlink(missing_ok=True)
    exporter = FileExporter(archive, FileOptions(target, form, Every.DAY, grace_s=0))
    while exporter.step(1 << 40, time.time() + 24 * HOUR_S):
        pass
    (archive / STATE).unlink()
    files = [path for path in target.rglob("*") if path.is_file()]
    texts = [f"{path.name}\n{path.read_bytes().decode('latin-1')}" for path in files]
    for path in files:
        if path.suffix == ".parquet":
            table = read_parquet(path).read_all()
            texts += [str(table.column(name).to_pylist()) for name in table.column_names]
    return "\n".join(texts)
