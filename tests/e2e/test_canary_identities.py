"""Tokens of Entra ID, callers' and the gateway's own, are in no sink, nor is anything they say."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from aiohttp import web

from app.settings import Auth, Entra
from tests.e2e.planted import CHAT, Planted, conversation, planted
from tests.e2e.scripted import Script, scripted
from tests.e2e.sinks import Canaries
from tests.e2e.stack import eventually, ptu_and_paygo
from tests.fakes.issuer import (
    APPLICATION,
    AUDIENCE,
    DIRECTORY,
    STRANGER,
    Publisher,
    claims,
    forged,
    published,
    signed,
)
from tests.fakes.listening import listening


def office(publisher: Publisher) -> Any:
    """The tenant is known by its application, too."""

    def config(suffix: str, _canary: Canaries) -> dict[str, Any]:
        entra = {"directory": DIRECTORY, "audiences": [AUDIENCE], "jwks_url": publisher.url}
        tenant = {"entra": {"applications": [APPLICATION]}, "limits": {"usd_per_day": 10}}
        return ptu_and_paygo(suffix) | {"entra": entra, "tenant": tenant}

    return config


def token(canary: Canaries, place: str, key: str = "key-1", **changes: Any) -> str:
    """A token made out now, of which it is known what it says of whom."""
    said = {"preferred_username": canary(f"{place}: name"), "jti": canary(f"{place}: jti")}
    kid = changes.pop("kid", "")
    return canary.give(place, signed(claims(time.time(), **said, **changes), key, kid))


def refused_tokens(canary: Canaries) -> dict[str, str]:
    """Each wrong in another way, by what is wrong."""
    now = int(time.time())
    wrong: dict[str, dict[str, Any]] = {
        "expired": {"exp": now - 90},
        "of a stranger": {"appid": STRANGER},
        "audience": {"aud": canary("token: audience: aud")},
        "issuer": {"iss": f"https://{canary('token: issuer: iss')}/"},
        "directory": {"tid": canary("token: directory: tid")},
        "by a wrong key": {"key": "mallory", "kid": "key-1"},
        "no number": {"exp": canary("token: no number: exp")},
    }
    made = {name: token(canary, f"token: {name}", **more) for name, more in wrong.items()}
    said = claims(now, name=canary("token: unsigned: name"))
    unsigned = forged({"alg": "none", "kid": "key-1"}, said, canary("token: mark").encode())
    made["unsigned"] = canary.give("token: unsigned", unsigned)
    made["no JSON"] = f"eyJ{canary('token: no JSON: 1')}.eyJ{canary('token: no JSON: 2')}.x"
    return made


async def test_callers_tokens_are_in_no_sink(empty_redis_url: str) -> None:
    """Accepted, refused for every reason, and where the directory fails or rambles."""
    async with published() as publisher, planted(empty_redis_url, office(publisher)) as it:
        canary = it.canary
        good = token(canary, "token: good")
        for header in ({"authorization": f"Bearer {good}"}, {"api-key": good}):
            heard = await it.send(CHAT, conversation(canary, "with a token"), **header)
            assert heard.status == 200, heard.text
            assert (await it.team.receipt(heard.request_id)).key_id == f"entra:{APPLICATION}"
        for name, made in refused_tokens(canary).items():
            bearer = {"authorization": f"Bearer {made}"}
            heard = await it.send(CHAT, conversation(canary, f"{name} token"), **bearer)
            assert heard.status == 401, (name, heard.text)
        await directories_that_fail(it, publisher)
        await exceptions_on_the_way(it, good)
        await it.everything_is_written()
        assert await it.found() == {}


async def directories_that_fail(it: Planted, publisher: Publisher) -> None:
    """A key that is not known has the directory asked, which says anything."""
    canary = it.canary
    rambling = {
        "status": web.Response(status=500, text=canary("directory: status")),
        "no JSON": web.Response(text=f'{{"keys": "{canary("directory: no JSON")}"'),
        "no keys": web.json_response({"keys": [{"kid": canary("directory: no keys"), "n": 1}]}),
        "redirect": web.Response(status=302, headers={"location": canary("directory: redirect")}),
    }
    for name, answer in rambling.items():
        before = publisher.asked
        publisher.instead = lambda answer=answer: answer
        made = token(canary, f"token: directory {name}", "unheard", kid=canary(f"kid {name}"))
        given = {"authorization": f"Bearer {made}"}
        heard = await it.send(CHAT, conversation(canary, f"directory {name}"), **given)
        assert heard.status in {401, 503}, (name, heard.text)
        assert publisher.asked >= before
    assert publisher.asked > 1
    publisher.instead = None


async def exceptions_on_the_way(it: Planted, good: str) -> None:
    """Whoever reads tokens raises, with the token in the exception's words."""
    callers: Any = it.team.process.current.gateway.authentication._tokens  # noqa: SLF001 - no other way to it
    words = f"{good} {it.canary('caller tokens: exception')}"

    def fail(*_: object, **__: object) -> Any:
        raise ValueError(words) from KeyError(words)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("caller", "principal", "find"):
            if hasattr(type(callers), name):
                patch.setattr(type(callers), name, fail)
        given = {"authorization": f"Bearer {good}x"}
        heard = await it.send(CHAT, conversation(it.canary, "broken tokens"), **given)
        assert heard.status == 500, heard.text


@dataclass(slots=True)
class Identities:
    """App Service's endpoint of managed identities: a token for each client id, and its headers."""

    canary: Canaries
    url: str = ""
    asked: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Each has a token once; who asks again, and `no-token`, is told what it sent."""
        client = request.query["client_id"]
        self.headers.append(request.headers["x-identity-header"])
        self.asked.append(client)
        if client == "no-token" or self.asked.count(client) > 1:
            words = f"{self.headers[-1]} {self.canary(f'identities say: {client}')}"
            return web.json_response({"error": words, "message": words}, status=400)
        made = self.canary(f"upstream token: {client}")
        end = str(int(time.time()) + 3600)
        if client == "odd-token":  # what azure-identity cannot read, it quotes
            return web.json_response({"access_token": made})
        found = {"access_token": made, "expires_on": end, "token_type": "Bearer", "resource": "x"}
        return web.json_response(found)


@asynccontextmanager
async def identities(canary: Canaries) -> AsyncIterator[Identities]:
    found, app = Identities(canary), web.Application()
    app.router.add_get("/msi", found.take)
    async with listening(app) as url:
        found.url = f"{url}/msi"
        yield found


#: What a deployment answers to our token, by its name, which is its identity's, too.
SAID: Final = {
    "answers": ("200 OK", '{"id": "c", "choices": [], "usage": {"prompt_tokens": 1}}'),
    "wrong-token": ("401 Unauthorized", '{"error": {"message": "TOKEN", "code": "TOKEN"}}'),
    "bad-request": ("400 Bad Request", '{"error": {"message": "TOKEN", "code": "TOKEN"}}'),
    "fails": ("500 Oh", '{"error": {"message": "Bearer TOKEN", "type": "TOKEN"}}'),
    "rambles": ("503 Oh", "<p>authorization: Bearer TOKEN</p>"),
    "no-token": ("200 OK", "{}"),
    "odd-token": ("200 OK", "{}"),
}
BECOMES: Final = {
    "answers": 200,
    "wrong-token": 502,
    "bad-request": 400,
    "fails": 500,
    "rambles": 502,
    "no-token": 502,
    "odd-token": 502,
}


def by_identity(suffix: str, _canary: Canaries) -> dict[str, Any]:
    """A deployment and a model of each name."""
    azure = {"endpoint": "https://x.openai.azure.com", "kind": "paygo", "tpm": 100_000_000}
    azure |= {"model": "gpt-4o", "deployment": "gpt-4o"}
    return {
        "deployments": {
            f"{name}-{suffix}": azure | {"auth": {"entra": {"client_id": name}}} for name in SAID
        },
        "models": {name: {"tiers": [[f"{name}-{suffix}"]]} for name in SAID},
    }


def scripts_of(canary: Canaries) -> dict[str, Script]:
    """Each repeats the token that it was sent."""
    made = {}
    for name, (status, text) in SAID.items():
        body = text.replace("TOKEN", canary(f"upstream token: {name}")).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
        made[name] = Script((f"{head}content-length: {len(body)}\r\n\r\n".encode() + body,))
    return made


async def test_the_gateways_tokens_are_in_no_sink(
    empty_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From azure-identity itself, sent to upstreams that repeat them; also where there is none."""
    async with planted(empty_redis_url, by_identity) as it, identities(it.canary) as found:
        monkeypatch.setenv("IDENTITY_ENDPOINT", found.url)
        monkeypatch.setenv("IDENTITY_HEADER", it.canary("identity header"))
        async with scripted(scripts_of(it.canary)) as upstream:
            await with_entra(it, upstream.url)
            for name, status in BECOMES.items():
                body = conversation(it.canary, name) | {"model": name}
                heard = await it.send(CHAT, body, **it.key)
                assert heard.status == status, (name, heard.text)
            for name in BECOMES.keys() - {"no-token", "odd-token"}:
                assert it.canary(f"upstream token: {name}") in upstream.heads[name], name
        assert found.asked.count("wrong-token") == 2, "a token that is rejected is replaced"
        assert {"no-token", "odd-token"} <= set(found.asked)
        assert set(found.headers) == {it.canary("identity header")}
        await it.everything_is_written()
        await eventually(lambda: '"request"' in it.sinks.log.getvalue())
        assert await it.found() == {}


async def with_entra(it: Planted, url: str) -> None:
    """Deployments as they are configured, which simulated ones are not."""
    settings = it.team.process.current.settings
    deployments = {
        name: each.model_copy(
            update={
                "endpoint": f"{url}/{name.removesuffix(f'-{it.team.suffix}')}",
                "auth": Auth(entra=Entra(client_id=name.removesuffix(f"-{it.team.suffix}"))),
            }
        )
        for name, each in settings.deployments.items()
    }
    await it.team.process.reload(settings.model_copy(update={"deployments": deployments}))


def test_scripts_are_what_they_say() -> None:
    """Each of them holds the token of its own deployment where it is to repeat it."""
    canary = Canaries()
    for name, script in scripts_of(canary).items():
        found = canary.found_in(b"".join(script.parts).decode())
        assert found == ({f"upstream token: {name}"} if "TOKEN" in SAID[name][1] else set())
