"""The search for canaries finds them: in every sink, in every form, and in no other's place."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from redis.asyncio import Redis

from app.cli.key import new_key
from tests.e2e.planted import CHAT, RIVAL, Planted, conversation, planted
from tests.e2e.sinks import Canaries, files_under


def base64_behind(length: int, value: str) -> str:
    """As it stands in a longer text, so that it begins within a letter of base64."""
    return base64.b64encode(b"\xff" * length + value.encode() + b"\xfe~").decode()


FORMS: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "cut": lambda value: value[:32],
    "in capitals": str.upper,
    "percent": lambda value: "".join(f"%{ord(each):02X}" for each in value),
    "URL": lambda value: quote(f"a b&{value}"),
    "JSON": lambda value: json.dumps({value: "ä"}),
    "JSON's escapes": lambda value: "".join(f"\\u{ord(each):04x}" for each in value),
    "Python's": lambda value: repr(value.encode()),
    "Python's escapes": lambda value: "".join(f"\\x{ord(each):02x}" for each in value),
    "HTML": lambda value: "".join(f"&#x{ord(each):x};" for each in html.escape(value)),
    "hexadecimal": lambda value: value.encode().hex(),
    "hexadecimal within": lambda value: "f" + f"a{value}b".encode().hex().upper(),
    **{f"base64 behind {length}": partial(base64_behind, length) for length in range(4)},
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(f"??>{value}??>".encode()).decode(),
    "basic": lambda value: "Basic " + base64.b64encode(f"user:{value}".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_found_in_every_form(form: str) -> None:
    """Among others, by its place; and not where it is not."""
    canary = Canaries()
    for number in range(20):
        canary(f"place {number}")
    key = canary.give("key", new_key("test"))
    around = f"{'0123456789abcdef' * 8} {{}} {base64.b64encode(bytes(range(256))).decode()}"
    for place in ("place 7", "key") if form not in {"cut", "in capitals"} else ("place 7",):
        text = around.format(FORMS[form](canary(place)))
        assert canary.found_in(text) == {place}
    assert canary.found_in(around) == set()
    assert key.split("_")[2] not in {"", key}
    assert canary.found_in(f"{key.split('_')[2]} {key[-4:]}") == set(), "what of a key is public"


def test_packed_files_are_searched(tmp_path: Path) -> None:
    """Their names, too."""
    canary = Canaries()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(canary("in it").encode()))
    (tmp_path / canary("name")).write_bytes(b"x")
    assert canary.found_in(files_under(tmp_path)) == {"in it", "name"}


async def leak_everywhere(it: Planted, redis: Redis) -> set[str]:
    """What a careless change would do, in each sink; the sinks."""
    canary = it.canary
    structlog.get_logger().info("careless", body=canary("log"))
    batch = ExportTraceServiceRequest()
    span = batch.resource_spans.add().scope_spans.add().spans.add()
    span.status.message = canary("traces")
    url = f"{it.sinks.traces.url}/v1/traces"
    async with it.team.http.post(url, data=batch.SerializeToString()) as answer:
        assert answer.status == 200
    await redis.hset(f"careless:{it.team.suffix}", "field", canary("redis"))
    await redis.set(f"careless:{canary('redis keys')}", "1")
    ledger = it.team.process.current.settings.ledger
    assert ledger is not None
    (Path(ledger.archive) / "careless.json").write_text(canary("archive"))
    it.sinks.answers.append(canary("other tenants"))
    it.sinks.more["more"] = lambda: canary("more")
    return {"log", "traces", "redis", "redis keys", "archive", "other tenants", "more"}


async def test_a_leak_is_found_in_its_sink(empty_redis_url: str) -> None:
    """By the name of the sink and of what leaked: without this the other tests prove nothing."""
    async with planted(empty_redis_url) as it:
        await it.served(CHAT, conversation(it.canary, "chat"))
        await it.everything_is_written()
        assert await it.found() == {}
        async with Redis.from_url(empty_redis_url) as redis:
            sinks = await leak_everywhere(it, redis)
            found = await it.found()
            await redis.delete(f"careless:{it.canary('redis keys')}")
        # A key's name is beside its value, too.
        assert found.pop("redis") == {"redis", "redis keys"}
        assert found == {sink: {sink} for sink in sinks - {"redis"}}


async def test_an_answer_of_the_gateway_is_a_sink(empty_redis_url: str) -> None:
    """A label of a metric, an explanation, the admin API: what the gateway itself was told."""
    async with planted(empty_redis_url) as it:
        receipt = await it.ask(CHAT, conversation(it.canary, "chat"))
        it.canary.give("tenant's name", f"team-{it.team.suffix}")
        it.canary.give("rival's key", RIVAL)
        await it.everything_is_written()
        found = await it.found()
        named = {"log", "metrics", "traces", "explanations", "admin API", "archive"}
        named |= {"redis", "redis keys"}
        assert {name: places for name, places in found.items() if name in named} == {
            name: {"tenant's name"} for name in named
        }
        assert receipt.tenant == f"team-{it.team.suffix}"
