"""A real Prometheus scrapes a real gateway under load, and evaluates every rule and alert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import openai
import promql_parser as promql
import pytest
import yaml

from tests.e2e.stack import DEADLINE_S, Stack, ptu_and_paygo, stack
from tests.grafana.promql import recorded, selectors
from tests.tools.prometheus import Prometheus, real_prometheus
from tests.tools.rules import ROOT, RULES, alerts, expressions

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

#: Rates need two values of a series, and a series begins with its first event.
PAUSE_S: Final = 0.05
#: What alerts ask for and a gateway that is well does not have; each with why.
ABSENT: Final = {
    'llm_attempts_total{verdict="misconfigured"}': "credentials are right",
    "llm_cache_false_hit_ratio": "nothing is answered by meaning here",
    "llm_degraded_requests_total": "Redis answers",
    "llm_tenant_anomaly_score": "nobody has a history of weeks",
    "llm_usage_estimated_total": "every usage is told",
    "spillgate_config_hash": "this process was started without a file",
    'spillgate_dependency_failures_total{dependency=~"redis|accounts",policy="fail_closed"}': (
        "no account is out of reach"
    ),
    'spillgate_dependency_up{dependency="embedder"}': "there is none",
    'spillgate_dependency_up{dependency="entra"}': "keys are used",
    "spillgate_expiry_timestamp_seconds": "nothing ends: no token, certificate or retirement",
    "spillgate_export_timestamp_seconds": "nothing is exported",
    "spillgate_ledger_drift_dollars": "accounts are compared now and then",
    "spillgate_tls_last_reload_successful": "nothing is served by TLS",
}


def small(suffix: str) -> dict[str, Any]:
    """A PTU that is soon full, answers that are asked for again, and a budget."""
    tenant = {"limits": {"requests_per_day": 1_000_000, "usd_per_day": 1_000}}
    cache = {"exact": {"enabled": True}}
    return ptu_and_paygo(suffix, ptus=1) | {"cache": cache, "tenant": tenant}


@asynccontextmanager
async def _scraping(team: Stack) -> AsyncIterator[Prometheus]:
    """By the project's own prometheus.yml, but often, and of this gateway."""
    config = yaml.safe_load((ROOT / "prometheus.yml").read_text("utf-8"))
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    del config["alerting"]  # nobody listens there
    (scrape,) = config["scrape_configs"]
    scrape["static_configs"] = [{"targets": [team.process.admin_url.removeprefix("http://")]}]
    async with real_prometheus(config, *RULES) as server:
        await server.scraped()
        yield server


async def test_every_rule_has_something_to_say(redis_url: str) -> None:
    """No rule is refused; every recorded series has values, and alerts find what they ask for."""
    async with stack(redis_url, small) as team, _scraping(team) as server:
        callers = asyncio.create_task(_ask_until_cancelled(team))
        try:
            missing = await _missing(server)
        finally:
            callers.cancel()
            with suppress(asyncio.CancelledError):
                await callers
        rules = await server.rules()
        assert {
            each["name"]: each.get("lastError") for each in rules if each["health"] != "ok"
        } == {}
        assert len(rules) == len(expressions())
        assert missing == []
        firing = {each["name"] for each in rules if each.get("state") == "firing"}
        assert firing == set(), "a gateway that is well alarms nobody"


async def _missing(server: Prometheus) -> list[str]:
    """What is without a value, once there is nothing or no more time."""
    wanted = [*recorded(), *_selected()]
    with suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while wanted:
                wanted = [name for name in wanted if not await server.query(name)]
                await asyncio.sleep(0.5)
    return wanted


def _selected() -> list[str]:
    """What alerts select, but for what is known to be absent."""
    asked = {
        str(selector.prettify()).split(" offset ")[0]
        for alert in alerts()
        for selector, _ in selectors(promql.parse(alert.expression))
    }
    known = {name for name in asked if name in ABSENT or name.split("{")[0] in ABSENT}
    assert {name.split("{")[0] for name in ABSENT} == {name.split("{")[0] for name in known}
    return sorted(asked - known)


async def _ask_until_cancelled(team: Stack) -> None:
    """Streams, repeated questions, mistakes, and one in ten that fails upstream."""
    number = 0
    while True:
        number += 1
        if number % 10 == 0:
            for name in ("ptu", "paygo-a", "paygo-b"):
                await team.fault(name, status=400, times=1)
        with suppress(openai.APIError):
            await _ask(team, number)
        await team.reset() if number % 50 == 0 else None
        await asyncio.sleep(PAUSE_S)


async def _ask(team: Stack, number: int) -> None:
    create = team.openai().chat.completions.create
    model = "no-such-model" if number % 7 == 0 else "gpt-4o"
    content = "Again" if number % 3 == 0 else f"Question {number}"
    message: Any = {"role": "user", "content": content}
    if number % 2 == 0:
        await create(model=model, messages=[message], max_tokens=300)
        return
    async for _ in await create(model=model, messages=[message], max_tokens=300, stream=True):
        pass
