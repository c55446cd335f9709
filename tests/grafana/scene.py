"""A gateway as it is in the middle of a busy day: two replicas on a simulated Azure, in minutes.

A PTU that is too small for its peaks, pay-as-you-go behind it with a quota that runs out, a
deployment that fails for a while, tenants of each class with limits, shares and budgets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

from app.cli.key import new_key
from tests.e2e.command import Spillgate, spillgate
from tests.fakes.listening import listening
from tests.tools.prometheus import Prometheus, real_prometheus, scraping

REPLICAS: Final = 2
#: So often, that a few minutes are as many points as a graph has room for.
SCRAPE_S: Final = 3
RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"

#: What each tenant is like; all limits are reached, or nearly, by what they ask.
TENANTS: Final[dict[str, Any]] = {
    "search": {
        "class": "interactive",
        "ptu_share": 0.3,
        "limits": {"rpm": 600, "usd_per_day": 3, "usd_per_month": 20_000},
    },
    "assistant": {
        "class": "critical",
        "limits": {"tokens_per_day": 400_000, "usd_per_month": 9_000},
    },
    "reports": {
        "class": "batch",
        "spill": {"usd_per_day": 0.6},
        "limits": {"tpm": 60_000, "usd_per_day": 2, "usd_per_month": 12_000},
    },
    "evals": {"spill": "deny", "limits": {"tokens_per_month": 90_000_000}},
    "trial": {"limits": {"rpm": 40, "requests_per_day": 200, "usd_per_month": 50}},
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Where everything is."""

    gateways: tuple[str, ...]
    simulator: str
    redis_url: str
    keys: dict[str, str]
    prometheus: Prometheus


@asynccontextmanager
async def scene(redis_url: str, directory: Path) -> AsyncIterator[Scene]:
    """Start all of it; it is gone afterwards."""
    keys = {name: new_key("test") for name in TENANTS}
    async with AsyncExitStack() as stack:
        simulator = stack.enter_context(
            _simulator(directory, _config(redis_url, keys, "https://x"))
        )
        sink = await stack.enter_async_context(_sink())
        config = _config(redis_url, keys, simulator) | {
            "usage_export": {"otlp": {"endpoint": sink}}
        }
        running = [
            stack.enter_context(_replica(directory / f"replica-{number}", config))
            for number in range(REPLICAS)
        ]
        data, admin = zip(*[_addresses(each) for each in running], strict=True)
        hosts = [each.removeprefix("http://") for each in admin]
        scraped = scraping(*hosts, every=f"{SCRAPE_S}s")
        server = await stack.enter_async_context(
            real_prometheus(scraped, *sorted(RULES.glob("*.yml")))
        )
        await server.scraped()
        yield Scene(data, simulator, redis_url, keys, server)


@contextmanager
def _simulator(directory: Path, config: dict[str, Any]) -> Iterator[str]:
    path = directory / "simulated.yaml"
    path.write_text(yaml.safe_dump(config))
    arguments = ("simulate", "--config", str(path), "--port", "0")
    with spillgate(*arguments, cwd=directory, PYTHONUNBUFFERED="1") as process:
        yield process.wait_for(r"ptu-east: (http://[\d.:]+)/ptu-east")[1]


@contextmanager
def _replica(directory: Path, config: dict[str, Any]) -> Iterator[Spillgate]:
    directory.mkdir()
    path = directory / "spillgate.yaml"
    path.write_text(yaml.safe_dump(config))
    arguments = ("serve", "--config", str(path), "--port", "0", "--admin-port", "0")
    with spillgate(*arguments, cwd=directory) as process:
        yield process


def _sink() -> AbstractAsyncContextManager[str]:
    """What takes the ledger's export, and says so."""
    app = web.Application()
    app.router.add_post("/{path:.*}", _taken)
    return listening(app)


async def _taken(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(content_type="application/x-protobuf")


def _addresses(process: Spillgate) -> tuple[str, str]:
    said = process.logged("serving")
    return said["data"], said["admin"]


def _config(redis_url: str, keys: dict[str, str], simulator: str) -> dict[str, Any]:
    return {
        "redis": {"url": redis_url, "operation_timeout_ms": 250},
        "listen": {"port": 0, "admin_port": 0},
        "admin": {"key": "an-admin-key-of-tests"},
        "simulator": {"seed": 7, "ttft_ms": 180, "tpot_ms": 14},
        "deployments": _deployments(simulator),
        "routing": {"largest_ptu_fraction": 0.3},
        "models": {
            "gpt-4o": {"tiers": [["ptu-east"], ["paygo-east", "paygo-sweden"]]},
            "faq": {"tiers": [["faq-east"]]},
            "gpt-4o-mini": {"tiers": [["mini-west", "mini-sweden"]]},
            "text-embedding-3-small": {"tiers": [["embed-east"]]},
        },
        "tenants": _tenants(keys),
        "logs": {"level": "info"},
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
    }


def _deployments(simulator: str) -> dict[str, Any]:
    east = {"region": "eastus", "data_zone": "us"}
    sweden = {"region": "swedencentral", "data_zone": "eu"}
    west = {"region": "westus3", "data_zone": "us"}
    kinds = {
        "ptu-east": {"kind": "ptu", "ptus": 15, "model": "gpt-4o", **east},
        "paygo-east": {"kind": "paygo", "tpm": 25_000, "model": "gpt-4o", **east},
        "paygo-sweden": {"kind": "paygo", "tpm": 450_000, "model": "gpt-4o", **sweden},
        "faq-east": {"kind": "paygo", "tpm": 90_000, "model": "gpt-4o-mini", **east},
        "mini-west": {"kind": "paygo", "tpm": 200_000, "model": "gpt-4o-mini", **west},
        "mini-sweden": {
            "kind": "paygo", "tpm": 200_000, "model": "gpt-4o-mini", **sweden,
            "retires": date(2027, 3, 31),
        },
        "embed-east": {
            "kind": "paygo", "tpm": 350_000, "model": "text-embedding-3-small", **east
        },
    }  # fmt: skip
    return {
        name: {
            "endpoint": f"{simulator}/{name}",
            "auth": {"api_key": "simulated"},
            "deployment": given["model"],
            **given,
        }
        for name, given in kinds.items()
    }


def _tenants(keys: dict[str, str]) -> dict[str, Any]:
    cached = {
        "exact": {"enabled": True},
        "semantic": {"enabled": True, "sample_rate": 1.0},
    }
    seeds = {name: {"keys": [keys[name]], **given} for name, given in TENANTS.items()}
    seeds["assistant"]["cache"] = cached
    return seeds
