"""`spillgate latency` finds what the simulator was told to do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from app.bootstrap.latency import latency
from app.bootstrap.simulation import pointed_at, simulated_deployments
from app.cli.latency import Asked
from app.planner.latency.plan import Plan, Turn
from app.planner.latency.report import report
from app.planner.latency.sample import Ending, Sample
from app.settings import build, load_catalog
from app.simulator.server import serve_simulator
from tests.e2e.command import spillgate

#: Long against what a busy machine adds. By deployment: the first token, and each further one.
TTFT_MS = {"ptu": 200, "paygo": 600}
TPOT_MS = {"ptu": 10, "paygo": 30}


def config(**paygo: Any) -> dict[str, Any]:
    azure = {"endpoint": "https://x.openai.azure.com", "model": "gpt-4o", "auth": {"api_key": "k"}}
    ptu = {"kind": "ptu", "ptus": 500, "api": "classic", "api_version": "2024-10-21"}
    kinds = {"ptu": ptu, "paygo": {"kind": "paygo", "tpm": 100_000_000, **paygo}}
    return {
        "admin": {"key": "an-admin-key-of-tests"},
        "deployments": {
            name: azure | kind | {"simulator": {"ttft_ms": TTFT_MS[name], "tpot_ms": TPOT_MS[name]}}
            for name, kind in kinds.items()
        },
        "models": {"gpt-4o": {"tiers": [["ptu"], ["paygo"]]}},
        "tenants": {"t": {}},
        "timeouts": {"connect_s": 30},
    }


def test_medians_are_those_that_the_simulator_was_told(tmp_path: Path) -> None:
    """Of both deployments, and so is their ratio; the plot is there."""
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(config()))
    what = ("--config", "a.yaml", "--deployments", "ptu,paygo", "--simulate", "--json")
    size = ("--requests", "20", "--warm-up", "1", "--output-tokens", "24", "--concurrency", "8")
    with spillgate("latency", *what, *size, "--plot", "found.svg", cwd=tmp_path) as command:
        assert command.wait() == 0, command.output
        said = command.output
    told = json.loads(said[said.index("{\n") :])
    for found in told["deployments"]:
        name = found["deployment"]
        assert (found["answered"], found["throttled"], found["failed"]) == (20, 0, 0)
        assert found["input_tokens"] == pytest.approx(500, abs=5)
        times = found["times"]
        # Drawn around the medians that were told: of 20 the median is off by 7 % (one sigma), and
        # a busy machine only ever adds.
        assert 0.75 < times["ttft_s"]["median"]["value"] / TTFT_MS[name] * 1000 < 1.8
        assert 0.75 < times["tpot_s"]["median"]["value"] / TPOT_MS[name] * 1000 < 1.8
    ratios = told["deployments"][1]["ratios"]
    assert 2 < ratios["ttft_s"]["value"] < 4.5, "three times"
    assert 2 < ratios["tpot_s"]["value"] < 4.5, "three times"
    assert "<polyline" in (tmp_path / "found.svg").read_text()


async def test_each_deployment_is_asked_as_often_as_planned(tmp_path: Path) -> None:
    """At its own address with its own key, warm-up included; refusals are counted apart."""
    settings = build(config(rpm=60))
    deployments = simulated_deployments(settings, load_catalog())
    plan = Plan(("paygo", "ptu"), requests=12, warm_up=2, output_tokens=4, concurrency=7)
    found: list[Sample] = []

    def tell(turn: Turn, sample: Sample) -> None:
        found.extend([sample] if turn.counts else [])

    async with serve_simulator(deployments) as url, aiohttp.ClientSession() as http:
        there = config(rpm=60)
        for name, each in pointed_at(settings, url).deployments.items():
            there["deployments"][name]["endpoint"] = each.endpoint
        (tmp_path / "a.yaml").write_text(yaml.safe_dump(there))
        comparison = latency(Asked(tmp_path / "a.yaml", plan))
        assert [cost.reserved for cost in comparison.costs] == [False, True]
        await asyncio.to_thread(comparison.run, tell)
        async with http.get(f"{url}/_sim/ledger") as answer:
            ledger = await answer.json()
    totals = ledger["totals"]
    assert {name: total["requests"] for name, total in totals.items()} == {"ptu": 14, "paygo": 14}
    paygo, ptu = report(plan, found)
    assert (ptu.answered, ptu.throttled) == (12, 0)
    # Ten calls in ten seconds are let in; a slow machine may see the next ten seconds begin.
    assert paygo.throttled > 0
    assert paygo.answered + paygo.throttled == 12
    refused = sum(sample.ending is Ending.THROTTLED for sample in found)
    assert refused <= totals["paygo"]["refused"] <= refused + plan.warm_up
    assert all(why.startswith("429") for why in paygo.why)
