"""A tenant bound to one data zone: whatever fails there, nothing of its requests leaves it.

The simulator's ledger is the witness: it has a row for every request that any deployment was sent.
Where a deployment of the other zone is led to a socket of the test's own, not even a connection is.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from app.bootstrap.comparison import compared
from app.settings import Deployment, Settings
from tests.e2e.canned import canned, lead_to, whole
from tests.e2e.stack import Stack, eventually, stack

FOREVER = -1
ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
OURS, THEIRS = ("ptu-eu", "paygo-eu"), ("ptu-us", "paygo-us")


class Told(NamedTuple):
    """What the client was told."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def error(self) -> dict[str, Any]:
        """The error object of an answer that is one."""
        error: dict[str, Any] = json.loads(self.text)["error"]
        return error


def impatient(suffix: str) -> dict[str, Any]:
    """The same; whoever is silent for 0.3 s is given up."""
    times = {"first_byte_s": 0.3, "idle_s": 0.3, "total_s": 5, "drain_lag_s": 0, "drain_s": 1}
    return two_zones(suffix) | {"timeouts": times}


def two_zones(suffix: str, **tenant: Any) -> dict[str, Any]:
    """A PTU and PAYGO in each zone, the other zone's first; a model that only it has."""
    usual = {"endpoint": "https://x.openai.azure.com", "model": "gpt-4o", "deployment": "gpt-4o"}
    azure: dict[str, Any] = usual | {"auth": {"api_key": "k"}}
    deployments = {
        f"{kind}-{zone}-{suffix}": azure
        | ({"kind": kind, "ptus": 100} if kind == "ptu" else {"kind": kind, "tpm": 100_000_000})
        | {"data_zone": zone, "region": f"{zone}-1"}
        for zone in ("us", "eu")
        for kind in ("ptu", "paygo")
    }
    tiers = [[f"{kind}-{zone}-{suffix}" for zone in ("us", "eu")] for kind in ("ptu", "paygo")]
    us_first = [[f"ptu-us-{suffix}"], [f"ptu-eu-{suffix}"]]
    return {
        "deployments": deployments,
        "models": {
            "gpt-4o": {"tiers": tiers},
            "us-first": {"tiers": us_first},
            "us-only": {"tiers": us_first[:1]},
        },
        "tenant": tenant or {"data_zones": ["eu"]},
    }


async def ask(team: Stack, path: str = "chat/completions", **fields: Any) -> Told:
    """One request; chat unless told otherwise."""
    usual: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    if path == "responses":
        usual = {"input": "Hello", "max_output_tokens": 16}
    body = {"model": "gpt-4o", **usual, **fields}
    headers = {"api-key": team.key}
    async with team.http.post(f"{team.base_url}/{path}", json=body, headers=headers) as answer:
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Told(answer.status, lowered, await answer.text())


async def asked(team: Stack) -> list[str]:
    """The deployments that were asked, without the suffix."""
    return [row["deployment"].rpartition("-")[0] for row in await team.served()]


async def bind(team: Stack, zones: list[str] | None) -> None:
    """Change the tenant's zones through the admin API."""
    url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
    async with team.http.patch(url, json={"data_zones": zones}, headers=ADMIN) as answer:
        assert answer.status == 200, await answer.text()


FAULTS: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "429 for long": {"status": 429, "headers": {"retry-after-ms": "60000"}},
    "408": {"status": 408},
    "500": {"status": 500},
    "503": {"status": 503},
    "401": {"status": 401},
    "redirect into the other zone": {"status": 307, "headers": {"location": "THEIRS"}},
    "silence": {"delay_ms": 3000},
    "no body": {"cut_after_bytes": 0},
    "cut body": {"cut_after_bytes": 20},
    "cut before the content": {"cut_after_chunks": 0},
    "cut after some content": {"cut_after_chunks": 1},
    "stall before the content": {"stall_after_chunks": 0},
    "stall after some content": {"stall_after_chunks": 1},
    "throttle inside a stream": {"in_stream_429": True},
    "error inside a stream": {"stream_error_first": True},
}
SILENCES = {"silence", "stall before the content", "stall after some content"}
ASKED: dict[str, dict[str, Any]] = {
    "chat": {},
    "chat stream": {"stream": True},
    "responses": {"path": "responses"},
    "responses stream": {"path": "responses", "stream": True},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_makes_a_request_leave_its_zone(
    redis_url: str, subtests: pytest.Subtests, fault: str
) -> None:
    """Each on every deployment of the zone, for as long as it is asked: honest errors, no more."""
    async with stack(redis_url, impatient) as team:
        location = f"{team.simulator_url}/{team.name('paygo-us')}/openai/v1/chat/completions"
        armed = json.loads(json.dumps(FAULTS[fault]).replace("THEIRS", location))
        for name in OURS:
            await team.fault(name, **armed, times=FOREVER)
        for what, fields in ASKED.items():
            with subtests.test(what):
                told = await ask(team, **fields)
                assert _is_honest(told, streams="stream" in fields), told
        seen = await asked(team)
        # Who was silent may be at work: what it does is not asked for again elsewhere.
        tried = OURS[:1] if fault in SILENCES else OURS
        assert set(tried) == set(seen)


def _is_honest(told: Told, *, streams: bool) -> bool:
    """An error object and a time to come back; a stream that began says that it broke off.

    A fault inside a stream leaves what is not streamed whole.
    """
    if told.status == 429:
        return bool(told.headers["retry-after-ms"]) and bool(told.error["message"])
    if told.status != 200:
        return bool(told.error["message"])
    if not streams:
        return "error" not in json.loads(told.text) or json.loads(told.text)["error"] is None
    return '"error"' in told.text and "[DONE]" not in told.text


async def test_faults_one_after_another_end_at_the_zones_border(redis_url: str) -> None:
    """First the PTU, then PAYGO behind it; what is left serves, and then nobody does."""
    async with stack(redis_url, two_zones) as team:
        for _ in range(10):
            assert (await ask(team)).headers["x-spillgate-deployment"] == team.name("ptu-eu")
        hold = {"status": 429, "headers": {"retry-after-ms": "30000"}, "times": FOREVER}
        await team.fault("ptu-eu", **hold)
        for _ in range(10):
            told = await ask(team)
            assert told.headers["x-spillgate-deployment"] == team.name("paygo-eu")
        await team.fault("paygo-eu", **hold)
        for _ in range(10):
            told = await ask(team)
            assert (told.status, told.error["code"]) == (429, "rate_limit_exceeded")
            assert 0 < int(told.headers["retry-after-ms"]) <= 31_000
        assert set(await asked(team)) == set(OURS)


async def test_a_zone_that_cannot_be_connected_to_is_not_left(redis_url: str) -> None:
    """Connection refused, by both; the other zone's are sockets that would count a connection."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused for as long as it is open
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with stack(redis_url, two_zones) as team, canned(whole(b"{}")) as theirs:
            for name in OURS:
                await lead_to(team, name, nowhere)
            for name in THEIRS:
                await lead_to(team, name, theirs.url)
            for fields in ASKED.values():
                told = await ask(team, **fields)
                assert (told.status, told.error["code"]) == (502, "upstream_unreachable")
            assert (theirs.heads, theirs.open) == ([], 0)


async def test_a_model_that_the_zone_has_not_is_refused_with_the_zones(redis_url: str) -> None:
    """403, on every API, before anybody is asked; the same model without a zone is served."""
    async with stack(redis_url, two_zones) as team:
        for fields in ASKED.values():
            told = await ask(team, **fields, model="us-only")
            assert (told.status, told.error["code"]) == (403, "data_zone_not_allowed")
            assert "data zones eu" in told.error["message"]
            assert "us-1" not in told.text
        assert await asked(team) == []
        await bind(team, None)
        assert (await ask(team, model="us-only")).status == 200


async def test_a_change_of_zones_is_in_force_when_it_is_answered(redis_url: str) -> None:
    """Not one of the requests after it is served, or tried, where the tenant was before.

    Once both zones are its own, either serves: which one is asked is a matter of chance and health
    as long as both have room, so that the one it was bound to last is held.
    """
    async with stack(redis_url, lambda suffix: two_zones(suffix, data_zones=["us"])) as team:
        for zone, names in (("us", THEIRS), ("eu", OURS), ("us", THEIRS)):
            await bind(team, [zone])
            await team.reset()
            await team.fault(names[0], status=500, times=5)
            for turn in range(20):
                assert (await ask(team, stream=turn % 2 == 0)).status == 200
            assert set(await asked(team)) <= set(names)
        await bind(team, ["us", "eu"])
        await team.reset()
        assert (await ask(team)).status == 200
        for name in THEIRS:
            team.process.resources.holds.hold(team.name(name), time.monotonic() + 60)
        told = await ask(team)
        ours = {team.name(name) for name in OURS}
        assert told.headers["x-spillgate-deployment"] in ours, "both zones are its own again"


@asynccontextmanager
async def answered_abroad(redis_url: str) -> AsyncIterator[tuple[Stack, str]]:
    """A stack, and the id of a response that its tenant has in a zone it was bound away from."""
    async with stack(redis_url, lambda suffix: two_zones(suffix, data_zones=["us", "eu"])) as team:
        told = await ask(team, "responses", model="us-first")
        assert told.headers["x-spillgate-deployment"] == team.name("ptu-us")
        await bind(team, ["eu"])
        await team.reset()
        yield team, json.loads(told.text)["id"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_of_another_zone_is_not_continued(redis_url: str, *, stream: bool) -> None:
    """Its deployment would be sent the next question; no other one knows the first."""
    async with answered_abroad(redis_url) as (team, response):
        fields = {"model": "us-first", "previous_response_id": response, "stream": stream}
        told = await ask(team, "responses", **fields)
        assert (told.status, told.error["code"]) == (403, "data_zone_not_allowed")
        assert "data zones eu" in told.error["message"]
        assert await asked(team) == []


async def test_a_response_of_the_own_zone_is_continued_there(redis_url: str) -> None:
    """And by nobody else while its deployment fails."""
    async with stack(redis_url, two_zones) as team:
        first = json.loads((await ask(team, "responses", model="us-first")).text)["id"]
        fields = {"model": "us-first", "previous_response_id": first}
        assert (await ask(team, "responses", **fields)).status == 200
        await team.fault("ptu-eu", status=503, times=FOREVER)
        assert (await ask(team, "responses", **fields)).status >= 500
        assert set(await asked(team)) == {"ptu-eu"}


async def test_regions_bind_as_zones_do(redis_url: str) -> None:
    """Within a zone, too: both must be right."""
    tenant = {"data_zones": ["eu"], "regions": ["eu-1"]}
    async with stack(redis_url, lambda suffix: two_zones(suffix, **tenant)) as team:
        assert (await ask(team)).status == 200
        assert set(await asked(team)) == {"ptu-eu"}
    elsewhere = {"data_zones": ["eu"], "regions": ["us-1"]}
    async with stack(redis_url, lambda suffix: two_zones(suffix, **elsewhere)) as team:
        told = await ask(team)
        assert (told.status, told.error["code"]) == (403, "data_zone_not_allowed")
        assert "data zones eu and regions us-1" in told.error["message"]
        assert await asked(team) == []


async def test_check_says_what_is_in_force_and_what_that_comes_to(redis_url: str) -> None:
    """The config's tenant is bound to one zone, the admin API has bound it to another."""
    async with stack(redis_url, two_zones) as team:
        settings = team.process.current.settings
        assert await asyncio.to_thread(compared, settings) == ["in force as configured"]
        await bind(team, ["us"])
        changed = f"tenants.team-{team.suffix}.data_zones: us in force, not eu"
        assert list(await asyncio.to_thread(compared, settings)) == [
            f"in force otherwise: {changed}"
        ]
        gone = {name: d.model_copy(update={"data_zone": "eu"}) for name, d in _all(settings)}
        left = "its data zones, regions and spill policy leave no deployment of"
        assert list(
            await asyncio.to_thread(compared, settings.model_copy(update={"deployments": gone}))
        )[1:] == [
            f"warning: in force: tenants.team-{team.suffix}.data_zones: no deployment is in us",
            f"warning: in force: tenants.team-{team.suffix}: {left} gpt-4o, us-first, us-only",
        ]


def _all(settings: Settings) -> list[tuple[str, Deployment]]:
    return list(settings.deployments.items())


async def test_who_waits_in_line_goes_where_it_may_by_then(redis_url: str) -> None:
    """The other zone has room first, and is the tenant's no more when it has."""
    batch = {"class": "batch"}
    async with stack(redis_url, lambda suffix: two_zones(suffix, **batch)) as team:
        held, clock = team.process.resources.holds, team.process.resources.clock
        for name in OURS:
            held.hold(team.name(name), clock.now() + 60)
        for name in THEIRS:
            held.hold(team.name(name), clock.now() + 4)
        waiting = asyncio.create_task(ask(team))
        await eventually(lambda: team.process.resources.waiting.waiting == 1)
        await bind(team, ["eu"])
        told = await waiting
        assert (told.status, told.error["code"]) == (429, "rate_limit_exceeded")
        assert int(told.headers["retry-after-ms"]) > 10_000, "when its own zone has room"
        assert await asked(team) == []


async def test_who_is_tried_again_is_tried_where_it_may_by_then(redis_url: str) -> None:
    """One deployment of each zone; the first fails after the change: its failure is the answer."""
    changed = asyncio.Event()
    failing = whole(b'{"error":{"message":"busy"}}', status="503 Service Unavailable")

    async def fail_after_the_change(writer: asyncio.StreamWriter) -> None:
        await changed.wait()
        await failing(writer)

    async with (
        stack(redis_url, lambda suffix: two_zones(suffix, data_zones=["us", "eu"])) as team,
        canned(fail_after_the_change) as first,
    ):
        await lead_to(team, "ptu-us", first.url)
        tried = asyncio.create_task(ask(team, model="us-first"))
        await eventually(lambda: first.bodies)
        await bind(team, ["us"])
        changed.set()
        told = await tried
        assert told.status == 503
        assert await asked(team) == []


async def test_a_waiting_request_of_a_disabled_tenant_is_not_sent(redis_url: str) -> None:
    """It is refused as its next one will be."""
    async with stack(redis_url, lambda suffix: two_zones(suffix, **{"class": "batch"})) as team:
        resources = team.process.resources
        for name in (*OURS, *THEIRS):
            resources.holds.hold(team.name(name), resources.clock.now() + 4)
        waiting = asyncio.create_task(ask(team))
        await eventually(lambda: resources.waiting.waiting == 1)
        url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
        async with team.http.patch(url, json={"disabled": True}, headers=ADMIN) as answer:
            assert answer.status == 200, await answer.text()
        told = await waiting
        assert (told.status, told.error["code"]) == (401, "invalid_api_key")
        assert "disabled" in told.error["message"]
        assert await asked(team) == []
