"""What measures the semantic cache, in a whole gateway: samples, their cap, and the embedder."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from app.adapters.bunches import Bunches
from app.adapters.embedder.local import DEFAULT, missing
from app.adapters.explanations import Explanations
from app.bootstrap.by_meaning import Meaning
from app.domain.cache.error_rate import Comparison
from tests.e2e.stack import DEADLINE_S, Stack, eventually, ptu_and_paygo, stack

pytestmark = pytest.mark.skipif(bool(missing(DEFAULT)), reason=missing(DEFAULT) or "it is there")
ASKED, MEANT = "How do I reset my password?", "how do i reset my password"


def semantic(**more: Any) -> Any:
    rule = {"enabled": True, "sample_rate": 1.0} | more

    def config(suffix: str) -> dict[str, Any]:
        return ptu_and_paygo(suffix) | {"cache": {"semantic": rule, "semantic_lookup_ms": 5000}}

    return config


def meaning(team: Stack) -> Meaning:
    found = team.process.resources.cached.meaning
    assert found is not None
    return found


async def ask(team: Stack, text: str) -> tuple[str, str]:
    """What the answer says of the cache, and the request's id."""
    raw = await team.openai().chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}], max_tokens=40
    )
    return raw.headers["x-spillgate-cache"], raw.headers["x-request-id"]


async def ready(team: Stack) -> None:
    """One answer is kept, and the tenant was looked at."""
    index = team.process.resources.cached.answers.index
    assert index is not None
    await eventually(lambda: index.trouble is None)
    assert (await ask(team, ASKED))[0] == "miss"
    await team.process.resources.cached.answers.settled()
    errors = meaning(team).measured.errors
    await eventually(lambda: errors.threshold(f"team-{team.suffix}", "gpt-4o") > 0)


async def errands(team: Stack, count: int) -> list[Any]:
    """Receipts of the gateway's own requests, once there are so many."""

    def made() -> list[Any]:
        return [each for each in team.receipts.kept if each.errand]

    await eventually(lambda: len(made()) >= count)
    return made()


async def admin(team: Stack, method: str, path: str, **more: Any) -> Mapping[str, Any]:
    url = f"{team.process.admin_url}/admin/v1/{path}"
    headers = {"authorization": "Bearer an-admin-key-of-tests"}
    async with team.http.request(method, url, headers=headers, **more) as answer:
        assert answer.status < 300, await answer.text()
        found: Mapping[str, Any] = await answer.json()
        return found


async def error_rate(team: Stack) -> Mapping[str, Any]:
    """As the admin API has it, once there is one: counts are told in the background."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            listed = await admin(team, "GET", f"cache/team-{team.suffix}/errors")
            if listed["data"]:
                (rate,) = listed["data"]
                return dict(rate)
            await asyncio.sleep(0.01)


async def test_a_hit_is_asked_upstream_too(redis_url: str) -> None:
    """The simulator was asked for the sample, the tenant paid for it, and it is counted."""
    async with stack(redis_url, semantic()) as team:
        await ready(team)
        assert (await ask(team, MEANT))[0] == "semantic"
        (sample,) = await errands(team, 1)
        assert (sample.errand, sample.tenant) == ("sample", f"team-{team.suffix}")
        assert sample.nano_usd > 0
        assert len(await team.served()) == 2
        measuring = meaning(team).measured.measuring
        await eventually(lambda: measuring.compared_total.total() == 1)
        rate = await error_rate(team)
        counted = Counter(measuring.compared_total)
        assert rate["samples"] + rate["undecided"] == 1
        assert rate["false_hits"] == counted[Comparison.DIFFERENT]


async def test_measuring_costs_no_more_than_it_may(redis_url: str) -> None:
    """The account refuses the second sample, whoever asks; clients notice nothing."""
    async with stack(redis_url, semantic(sample_usd_per_day=0.0006)) as team:
        await ready(team)
        for _ in range(3):
            assert (await ask(team, MEANT))[0] == "semantic"
            await meaning(team).measured.aside.idle()
        spent = [each.nano_usd for each in await errands(team, 1)]
        assert sum(spent) <= 600_000
        assert len(await team.served()) == 1 + len([each for each in spent if each])


async def test_a_hit_that_was_told_wrong_is_gone(redis_url: str) -> None:
    """And counted: the next one is asked upstream."""
    async with stack(redis_url, semantic(sample_rate=0.0)) as team:
        await ready(team)
        result, request_id = await ask(team, MEANT)
        assert result == "semantic"
        name = f"team-{team.suffix}"
        await explained(team, request_id)
        said = {"request_id": request_id}
        told = await admin(team, "POST", f"cache/{name}/wrong-hits", json=said)
        assert (told["data"]["evicted"], told["data"]["counted"]) == (1, True)
        assert (await ask(team, MEANT))[0] == "miss"
        rate = await error_rate(team)
        assert (rate["samples"], rate["false_hits"]) == (1, 1)


async def explained(team: Stack, request_id: str) -> None:
    """Until the request's explanation is kept."""
    told = [each for each in team.process.resources.observers if isinstance(each, Bunches)]
    observers = [observer for bunches in told for observer in bunches.told]
    (explanations,) = (each for each in observers if isinstance(each, Explanations))
    found: list[Any] = []

    async def look() -> None:
        found[:] = [await explanations.find(request_id, [f"team-{team.suffix}"])]

    await look()
    while found == [None]:
        await look()


async def test_a_deployment_embeds_what_tenants_ask(redis_url: str) -> None:
    """Each text is an errand of its tenant's, and vectors of two texts are compared."""

    def config(suffix: str) -> dict[str, Any]:
        made: dict[str, Any] = semantic(sample_rate=0.0)(suffix)
        name = f"embed-{suffix}"
        azure = {"endpoint": "https://x.openai.azure.com", "auth": {"api_key": "k"}}
        embedder = azure | {"kind": "paygo", "model": "text-embedding-3-small", "deployment": "e"}
        made["deployments"][name] = embedder | {"tpm": 1_000_000}
        made["models"]["embed"] = {"tiers": [[name]]}
        made["cache"]["embedder"] = {"model": "embed"}
        return made | {"tenant": {"models": ["gpt-4o"]}}

    async with stack(redis_url, config) as team:
        await ready(team)
        assert meaning(team).embedder.dimensions == 512
        assert (await ask(team, ASKED))[0] == "semantic"
        (first,) = await errands(team, 1)
        assert (first.errand, first.model, first.tenant) == (
            "embedding",
            "embed",
            f"team-{team.suffix}",
        )
        assert first.deployment == team.name("embed")
        assert first.nano_usd > 0


async def test_nothing_of_the_gateways_own_holds_up_its_end(redis_url: str) -> None:
    """A sample that hangs is given up; what it had reserved is settled."""
    async with stack(redis_url, semantic()) as team:
        await ready(team)
        for name in ("ptu", "paygo-a", "paygo-b"):
            await team.fault(name, delay_ms=60_000, times=5)
        assert (await ask(team, MEANT))[0] == "semantic"
        works = meaning(team).measured.aside
        receipts = team.receipts
    assert not works.begin(explode)
    (sample,) = [each for each in receipts.kept if each.errand]
    assert sample.outcome == "client_disconnected"


async def explode() -> None:
    raise AssertionError("nothing begins after the end")
