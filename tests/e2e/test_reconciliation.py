"""What the simulated Azure counted, beside the ledger; and a statement of the same traffic."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from app.domain.billing.spent import FULL
from app.domain.reconciliation.metrics_json import of_metrics_json
from app.domain.reconciliation.series import HOUR_S, series_of
from tests.e2e.stack import DEADLINE_S, Stack, ptu_and_paygo, stack

ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
REQUESTS = 40
METRICS = {"ProcessedPromptTokens": "input_tokens", "GeneratedTokens": "output_tokens"}


def site(suffix: str) -> dict[str, Any]:
    """Two PTUs, which hold a dozen such requests; each deployment has its own name at Azure."""
    found = ptu_and_paygo(suffix, ptus=2)
    for name, deployment in found["deployments"].items():
        deployment["deployment"] = azure_name(name)
    return found


def azure_name(name: str) -> str:
    return f"azure-{name}"


async def admin(team: Stack, path: str, body: Any = None, **asked: str) -> Any:
    url = f"{team.process.admin_url}/admin/v1/{path}"
    method = "GET" if body is None else "POST"
    async with team.http.request(method, url, headers=ADMIN, params=asked, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.json())["data"]


def exported(served: Iterable[dict[str, Any]]) -> str:
    """As `az monitor metrics list` would print it."""
    sums: Any = defaultdict(lambda: defaultdict(int))
    for request in served:
        if request["outcome"] in {"refused", "error"}:
            continue
        hour = int(request["ended"]) // HOUR_S * HOUR_S
        for metric, field in METRICS.items():
            sums[metric, azure_name(request["deployment"])][hour] += request[field]
    metrics = [_metric(metric, name, hours) for (metric, name), hours in sums.items()]
    return json.dumps({"value": metrics})


def _metric(metric: str, deployment: str, hours: dict[int, int]) -> dict[str, Any]:
    data = [{"timeStamp": _iso(hour), "total": float(total)} for hour, total in hours.items()]
    names = [{"name": {"value": "modeldeploymentname"}, "value": deployment}]
    return {"name": {"value": metric}, "timeseries": [{"data": data, "metadatavalues": names}]}


def _iso(hour: int) -> str:
    return datetime.fromtimestamp(hour, UTC).isoformat()


async def reconciled(team: Stack) -> Any:
    found = series_of(of_metrics_json(exported(await team.served())), HOUR_S)
    names = ("resource", "deployment", "measure", "starts", "tokens")
    series = [{name: getattr(each, name) for name in names} for each in found]
    return await admin(team, "usage/reconciliation", {"series": series})


async def ask(team: Stack, *, stream: bool = False) -> None:
    """One request, read to its end, be that a sudden one."""
    body = {"model": "gpt-4o", "max_tokens": 60, "stream": stream}
    body["messages"] = [{"role": "user", "content": "Count for me."}]
    headers = {"authorization": f"Bearer {team.key}"}
    async with team.http.post(
        f"{team.base_url}/chat/completions", json=body, headers=headers
    ) as answer:
        assert answer.status == 200
        await answer.read()


async def charged(team: Stack, requests: int) -> None:
    """Wait until the archive has them."""
    async with asyncio.timeout(DEADLINE_S):
        while (await admin(team, "usage"))[0]["requests"] < requests:
            await asyncio.sleep(0.05)


async def foreign(team: Stack) -> int:
    """A request that goes past the gateway; the tokens of its prompt."""
    name, before = team.name("paygo-a"), await team.served()
    body = {"model": azure_name(name), "max_tokens": 9}
    body["messages"] = [{"role": "user", "content": "Past the gateway."}]
    url = f"{team.simulator_url}/{name}/openai/v1/chat/completions"
    async with team.http.post(url, json=body, headers={"api-key": "k"}) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    served = (await team.served())[len(before) :]
    return sum(request["input_tokens"] for request in served)


async def test_that_azures_count_and_the_ledgers_agree(redis_url: str) -> None:
    """To the token, spilled and broken answers too; traffic past the gateway is unexplained.

    A statement of the same requests adds up to what usage says was spent.
    """
    async with stack(redis_url, site) as team:
        await team.fault("ptu", cut_after_chunks=3, times=1)
        await ask(team, stream=True)
        await asyncio.gather(*(ask(team) for _ in range(REQUESTS)))
        await charged(team, REQUESTS + 1)
        found = await reconciled(team)
        for series in found["compared"]:
            assert (series["unexplained_more"], series["unexplained_less"]) == (0, 0), series
        assert {each["deployments"][0] for each in found["compared"]} > {team.name("ptu")}
        assert (found["foreign"], found["silent"]) == ([], {})

        past = await foreign(team)
        again = {
            (each["deployments"][0], each["measure"]): each["unexplained_more"]
            for each in (await reconciled(team))["compared"]
        }
        assert again[team.name("paygo-a"), "prompt"] == past > 0

        await _adds_up(team)


async def _adds_up(team: Stack) -> None:
    stated = await admin(team, "usage/statement")
    since = str(stated["since"])
    (whole,) = await admin(team, "usage", since=since)
    by_spill = await admin(team, "usage", since=since, group_by="spill")
    spilled = [each for each in by_spill if each["spill"] in FULL]
    check, (line,) = stated["check"], stated["lines"]
    assert check["ledger_nano_usd"] == whole["nano_usd"]
    assert check["owed_nano_usd"] == (
        check["ledger_nano_usd"] - check["ptu_charged_nano_usd"] + check["ptu_cost_nano_usd"]
    )
    assert line["nano_usd"]["spilled"] == sum(each["nano_usd"] for each in spilled) > 0
    assert line["spilled_requests"] == sum(each["requests"] for each in spilled)
    cents = [
        line["amounts"][name] for name in ("paygo", "spilled", "ptu_used", "ptu_idle", "other")
    ]
    assert sum(round(100 * float(each)) for each in cents) == round(
        100 * float(line["amounts"]["owed"])
    )
