"""A value planted in every place is in no sink but those that are written down in `planted`.

What callers send, and what the gateway itself keeps secret, goes through the paths of a request and
of the admin API: served, refused, failed inside. Then all that the gateway wrote is searched: its
log at debug level, /metrics, traces, explanations, the admin API with ledger and audit log, files
of the archive, every key of Redis, standard output, and what other tenants are answered. Upstreams
that misbehave are in `test_canary_upstreams`, identities in `test_canary_identities`, what is
beside requests in `test_canary_beside`, processes and commands in `test_canary_commands`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from app.bootstrap.config_file import ConfigFile
from app.cli.commands import Addresses
from app.cli.key import new_key
from app.domain.cache.outcome import CacheResult
from app.domain.ledger.completion import Outcome
from app.settings import Settings
from tests.e2e.planted import CHAT, RIVAL, Planted, conversation, planted
from tests.e2e.raw import chat, exchange, request
from tests.e2e.sinks import OWNER, Canaries
from tests.e2e.stack import eventually, ptu_and_paygo
from tests.fakes.changed import replace


async def serve_all(it: Planted) -> None:
    """Every operation that tenants have, whole and as a stream."""
    canary = it.canary
    tags = {"x-spillgate-tags": f"team={canary('tag')}", "x-request-id": canary("request id")}
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01"
    state = {"traceparent": trace, "tracestate": f"x={canary('tracestate')}"}
    await it.served(CHAT, conversation(canary, "chat"), **tags)
    await it.served(CHAT, conversation(canary, "stream", stream=True), **state)
    query = f"?api-version=2024-10-21&x={canary('query')}"
    path = f"/openai/deployments/gpt-4o/chat/completions{query}"
    await it.served(path, conversation(canary, "azure"))
    stored = {"input": canary("responses input"), "instructions": canary("instructions")}
    await it.served("/v1/responses", {"model": "gpt-4o", "store": True, **stored})
    await it.served("/v1/completions", {"model": "gpt-4o", "prompt": canary("completion")})
    await it.served("/v1/embeddings", {"model": "embed", "input": canary("embedding")})


async def refuse_all(it: Planted) -> None:
    """What is no request, nobody's, or asks for what is not there."""
    await strangers(it)
    canary, key, team = it.canary, it.key, it.team
    missing = {
        f"/v1/{canary('path')}/{new_key('test')}": {},
        f"/v1/responses/{canary('response id')}/cancel": {},
        f"/openai/deployments/{canary('deployment')}/chat/completions": {},
        CHAT: conversation(canary, "unknown") | {"model": canary("model")},
    }
    for path, body in missing.items():
        assert (await it.send(path, body, **key)).status in {400, 404}, path
    previous = {"input": "x", "previous_response_id": f"resp_{canary('previous response')}"}
    no_text = b"\xff" + canary("no text").encode()
    odd = {"max_tokens": canary("no number"), "stream": canary("no boolean"), canary("name"): 1}
    for path, malformed, headers in (
        ("/v1/responses", {"model": "gpt-4o", **previous}, {}),
        (CHAT, conversation(canary, "key as model") | {"model": team.key}, {}),
        (CHAT, f'{{"model": "gpt-4o", "{canary("malformed")}'.encode(), {}),
        (CHAT, no_text, {}),
        (CHAT, f'["{canary("no object")}"]'.encode(), {}),
        (CHAT, b"[" * 500 + canary("deep").encode(), {}),
        (CHAT, conversation(canary, "odd", **odd), {}),
        (CHAT, {"model": "gpt-4o", "messages": canary("no messages")}, {}),
        (CHAT, b"x", {"content-encoding": canary("encoding")}),
        (CHAT, {}, {"x-spillgate-tags": canary("bad tag")}),
        (CHAT, {}, {"x-spillgate-cache": canary("directive")}),
    ):
        heard = await it.send(path, malformed, **key, **headers)
        is_upstreams = malformed == {"model": "gpt-4o", "messages": canary("no messages")}
        assert is_upstreams or 400 <= heard.status < 500, heard.text
    for payload in (
        f"{canary('method')} /v1 HTTP/1.1\r\nhost: x\r\n\r\n".encode(),
        f"{canary('no http')}\r\n\r\n".encode(),
        request(chat(), headers=(("content-length", canary("length")),)),
        request(chat(), headers=((f"bad {canary('bad header')}", "x"),)),
        request(chat(), headers=(("host", canary("second host")),)),
        request(chat(), headers=(("x", canary("large header") * 4000),)),
    ):
        assert 400 <= (await exchange(team, payload)).status < 500


async def strangers(it: Planted) -> None:
    """Who shows no key, a wrong one, or two."""
    canary, wrong = it.canary, it.canary.give("wrong key", new_key("test"))
    both = {"authorization": f"Bearer {canary('second key')}spg_"}
    for given in (
        {"api-key": canary("api-key")},
        {"authorization": f"Bearer {canary('bearer')}"},
        {"Authorization": f"Basic {canary('basic')}"},
        {"api-key": wrong},
        {**it.key, **both},
    ):
        heard = await it.send(CHAT, conversation(canary, "stranger"), **given)
        assert heard.status in {400, 401}, heard.text


class Failing:
    """A stage or adapter that raises whatever it is used for."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise self._error


STAGES: Final = (
    *("authentication", "ownership", "routing", "admission", "caching", "upstreams", "relay"),
)


async def break_all(it: Planted) -> None:
    """Exceptions in every stage, whose words are what a caller or the gateway holds."""
    before = it.team.process.current
    for stage in STAGES:
        for error in errors_of(it, stage):
            broken: Any = {stage: Failing(error)}
            gateway = replace(before.gateway, **broken)
            it.team.process.current = replace(before, gateway=gateway)
            heard = await it.send(CHAT, conversation(it.canary, f"{stage} broken"), **it.key)
            assert "The gateway failed on this request" in heard.text, stage
            receipt = await it.team.receipt(heard.request_id)
            assert receipt.outcome is Outcome.INTERNAL_ERROR, stage
    it.team.process.current = before


def errors_of(it: Planted, place: str) -> list[Exception]:
    """With causes, notes and groups; their words hold a canary, and two secrets."""
    words = f"{it.canary(f'{place}: exception')} {it.canary('deployment key: ptu')} {it.team.key}"
    found: list[Exception] = []
    for cause in (
        RuntimeError(words),
        KeyError(words),
        UnicodeDecodeError("utf-8", words.encode(), 0, 1, words),
        ExceptionGroup(words, [OSError(words)]),
    ):
        error = RuntimeError(words)
        error.__cause__, error.__notes__ = cause, [words]
        found.append(error)
    return found


async def break_adapters(it: Planted) -> None:
    """Exceptions in what stages and the admin API work with; the latter's framework logs them."""
    canary, team = it.canary, it.team
    raised: list[str] = []

    def failing(place: str) -> Any:
        def fail(*_: object, **__: object) -> Any:
            raised.append(place)
            words = f"{canary(f'{place}: exception')} {canary('deployment key: ptu')} {team.key}"
            raise LookupError(words) from ValueError(words)

        return fail

    resources = team.process.resources
    accounts: Any = resources.accounts
    accounts.leases.close()  # each asks for itself
    adapters = (
        (resources.keys, "find"),
        (resources.accounts, "reserve"),
        (resources.accounts, "settle"),
        (resources.transport, "send"),
        (resources.estimator, "prompt"),
        (resources.owners, "owner"),
    )
    for adapter, method in adapters:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(adapter), method, failing(method))
            body = conversation(canary, f"{method} broken")
            await it.send(CHAT, body, **it.key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(resources.directory), "change", failing("change"))
        url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
        body = {"tags": {"a": canary("admin value")}}
        async with team.http.patch(url, json=body, headers=OWNER) as answer:
            assert answer.status == 500
            assert it.canary.found_in(await answer.text()) == set()
    assert {"find", "reserve", "settle", "send", "change"} <= set(raised)
    await it.served(CHAT, conversation(canary, "after all"))


def blurt_out(it: Planted) -> None:
    """What a library, or a line that is added later, might say: each secret, as it is."""
    for secret in (*(it.canary(place) for place in sorted(it.ours())), it.team.key, RIVAL):
        logging.getLogger("aiohttp.client").warning("sent %s", {"headers": secret})
        structlog.get_logger().debug("sent", url=f"https://x/{secret}?a=b", nested=[{secret: 1}])


async def administrate(it: Planted) -> None:
    """The admin API with wrong keys, wrong bodies, and what is allowed to be there."""
    canary, team = it.canary, it.team
    tenant = f"tenants/team-{team.suffix}"
    wrong = {"authorization": f"Bearer {canary('admin key')}"}
    for method, path, body, headers, status in (
        ("GET", "tenants", None, wrong, 401),
        ("GET", f"{canary('admin path')}", None, OWNER, 404),
        ("GET", f"tenants/{canary('no tenant')}", None, OWNER, 404),
        ("GET", f"ledger?{canary('admin query')}=1", None, OWNER, 400),
        ("GET", f"explain/{canary('no request')}", None, OWNER, 404),
        ("POST", "tenants", {"name": f"bad name {canary('bad name')}"}, OWNER, 400),
        ("POST", "tenants", {canary("admin field"): canary("admin value")}, OWNER, 400),
        ("PUT", "logs", {"level": canary("level")}, OWNER, 400),
        ("PATCH", tenant, {"tags": {"a": canary("tenant tag")}}, OWNER, 200),
        ("PATCH", tenant, {}, OWNER | {"if-match": canary("if-match")}, 400),
        ("PATCH", tenant, {"models": [canary("no such model")]}, OWNER, 400),
        ("PATCH", tenant, {"entra": {"groups": [canary("no guid")]}}, OWNER, 400),
        ("PUT", f"{tenant}/limits/{canary('no limit')}", {"amount": 1}, OWNER, 404),
        ("POST", f"{tenant}/keys", {"name": canary("key name")}, OWNER, 201),
        ("DELETE", f"{tenant}/keys/{canary('no key')}", None, OWNER, 404),
        ("POST", f"deployments/{canary('no deployment')}/drain", None, OWNER, 404),
    ):
        url = f"{team.process.admin_url}/admin/v1/{path}"
        async with team.http.request(method, url, json=body, headers=headers) as answer:
            said = await answer.text()
            assert answer.status == status, (path, said)
            assert it.canary.found_in(said).isdisjoint(it.ours())
    url = f"{team.process.admin_url}/admin/v1/tenants"
    async with team.http.post(url, data=canary("admin body"), headers=OWNER) as answer:
        assert answer.status == 400
    await use_new_keys(it, f"{team.process.admin_url}/admin/v1")


async def use_new_keys(it: Planted, url: str) -> None:
    """Keys that are told once: a tenant's, and an administrator's."""
    canary, team = it.canary, it.team
    path = f"{url}/tenants/team-{team.suffix}/keys"
    async with team.http.post(path, json={}, headers=OWNER) as answer:
        assert answer.status == 201, await answer.text()
        canary.give("new key", (await answer.json())["data"]["key"])
    await it.served(CHAT, conversation(canary, "with a new one"), **{"api-key": canary("new key")})
    async with team.http.post(f"{url}/admins", json={"role": "viewer"}, headers=OWNER) as answer:
        assert answer.status == 201, await answer.text()
        own = canary.give("admin's own key", (await answer.json())["data"]["key"])
    viewer = {"authorization": f"Bearer {own}"}
    async with team.http.delete(f"{url}/tenants/x", headers=viewer) as answer:
        assert answer.status == 403


async def reload_badly(it: Planted, folder: Path) -> None:
    """Configurations that cannot be put in force, with secrets in right and wrong places."""
    file, before = folder / "spillgate.yaml", it.team.process.generation
    secrets = [it.canary(f"config secret {number}") for number in range(4)]
    one, two, three, four = secrets
    for text in (
        f"admin: {{key: {one}}}\nbudgets: {{webhook: 'ftp://{one}'}}\n",
        f"redis: {{url: 'http://:{two}@x'}}\nkeys: {{peper: {two}}}\n",
        f"deployments: {{x: {{auth: {{api_key: [{three}]}}}}}}\n{three}",
        f"{four}: [\n",
    ):
        file.write_text(text, "utf-8")
        await ConfigFile(file, Addresses()).reload(it.team.process)
    assert it.sinks.log.getvalue().count('"config not reloaded"') == len(secrets)
    settings: Settings = it.team.process.current.settings
    with pytest.raises(TypeError):
        await it.team.process.reload(settings.model_copy(update={"deployments": None}))
    assert it.team.process.generation == before


async def test_what_is_planted_is_in_no_sink(
    empty_redis_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """But for ids and tags, which callers and administrators have given for being written down."""
    async with planted(empty_redis_url) as it:
        await serve_all(it)
        await administrate(it)
        await refuse_all(it)
        await reload_badly(it, tmp_path)
        await break_all(it)
        await break_adapters(it)
        blurt_out(it)
        for path in ("/v1/models", "/v1/spillgate/me", "/v1/models/gpt-4o"):
            it.sinks.answers.append(await it.sinks.get(path, **{"api-key": RIVAL}))
        await it.everything_is_written()
        await eventually(lambda: "budget_alert_not_delivered" in it.sinks.log.getvalue())
        printed = "".join(capfd.readouterr())
        it.sinks.more["standard output"] = lambda: printed

        assert len(it.canary.places) > 150
        assert await it.found() == {}
        assert it.canary.found_in(it.sinks.log.getvalue()) == {"request id"}, "the search finds"
        assert "tag" in it.canary.found_in(it.sinks.files())


async def test_what_the_cache_keeps_is_in_the_cache_alone(empty_redis_url: str) -> None:
    """There a prompt is, for as long as its answer is kept; it is shown to who may list answers."""

    def config(suffix: str, _canary: Canaries) -> dict[str, Any]:
        return ptu_and_paygo(suffix) | {"cache": {"exact": {"enabled": True}}}

    async with planted(empty_redis_url, config) as it:
        said = [{"role": "user", "content": it.canary("kept: prompt")}]
        asked = {"model": "gpt-4o", "max_tokens": 5, "temperature": 0, "messages": said}
        await it.served(CHAT, asked)
        await it.team.process.resources.cached.answers.settled()
        assert (await it.ask(CHAT, asked)).cache.result is CacheResult.EXACT
        await it.send(CHAT, asked, **{"api-key": RIVAL}, **{"x-request-id": "asked-by-another"})
        listed = await it.sinks.admin_text(f"cache/team-{it.team.suffix}/answers")
        assert it.canary.found_in(listed) == {"kept: prompt"}
        await it.everything_is_written()

        assert await it.found() == {"redis": {"kept: prompt"}}
        lines = (await it.sinks.texts())["redis"].splitlines()
        holding = [line for line in lines if "kept: prompt" in it.canary.found_in(line)]
        assert all(line.startswith("b'spillgate:answers:") for line in holding), holding
