"""`spillgate demo`: gateway, simulated Azure and Redis in one process, and a little traffic."""

from __future__ import annotations

import asyncio
import secrets
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp

from app.adapters.logs import Logs, configure_logs
from app.bootstrap.commands import run
from app.bootstrap.config_file import listening_on
from app.bootstrap.loop import beside, until_told
from app.bootstrap.running import running
from app.bootstrap.simulation import ANY_KEY, pointed_at, simulated_deployments
from app.cli.demo_text import DemoAddresses, Here, demo_text
from app.cli.key import new_key
from app.cli.start import Addresses
from app.settings import Settings, build, load_catalog
from app.simulator.server import serve_simulator

_PAUSE_S = 2.0
_QUESTIONS = ("What is a PTU?", "When does a request spill?", "Who pays for cached tokens?")


def demo(addresses: Addresses, traffic: bool) -> int:  # noqa: FBT001  # from the command line
    """Run the demo until told to end."""
    api_key, admin_key = new_key("test"), secrets.token_urlsafe(24)
    settings = listening_on(build(demo_config(api_key, admin_key)), addresses)
    with configure_logs(settings.logs.level) as logs:
        return run(_demo(settings, api_key, admin_key, logs, traffic=traffic))


def demo_config(api_key: str, admin_key: str) -> dict[str, Any]:
    """A small PTU, two PAYGO deployments behind it, and one for embeddings."""
    auth = {"api_key": ANY_KEY}
    azure = {"endpoint": "https://demo.openai.azure.com", "auth": auth}
    ptu = {"kind": "ptu", "ptus": 3, "model": "gpt-4o", "region": "eastus", "data_zone": "us"}
    paygo = {"kind": "paygo", "model": "gpt-4o", "tpm": 450_000, "rpm": 2_700}
    classic = {"api": "classic", "api_version": "2024-10-21"}
    embeddings = {"kind": "paygo", "model": "text-embedding-3-small", "tpm": 350_000}
    return {
        "admin": {"key": admin_key},
        "deployments": {
            "ptu-east": azure | ptu | classic,
            "paygo-east": azure | paygo | {"region": "eastus2", "data_zone": "us"},
            "paygo-sweden": azure | paygo | {"region": "swedencentral", "data_zone": "eu"},
            "embeddings": azure | embeddings,
        },
        "models": {
            "gpt-4o": {"tiers": [["ptu-east"], ["paygo-east", "paygo-sweden"]]},
            "text-embedding-3-small": {"tiers": [["embeddings"]]},
        },
        "tenants": {"demo": {"keys": [api_key]}},
        "logs": {"level": "warning"},
        "timeouts": {"drain_lag_s": 0, "drain_s": 3},
    }


async def _demo(
    settings: Settings, api_key: str, admin_key: str, logs: Logs, *, traffic: bool
) -> None:
    told = until_told()
    simulated = simulated_deployments(settings, load_catalog())
    async with (
        serve_simulator(simulated, seed=settings.simulator.seed) as simulator_url,
        running(pointed_at(settings, simulator_url), logs=logs) as process,
    ):
        base_url = f"{process.data_url}/v1"
        shown = DemoAddresses(base_url, api_key, process.admin_url, admin_key, simulator_url)
        here = Here(Path(sys.executable), has_sdk=find_spec("openai") is not None)
        sys.stdout.write(demo_text(shown, here))
        sys.stdout.flush()
        sending = [_traffic(base_url, api_key)] if traffic else []
        async with beside(*sending):
            await told.wait()


async def _traffic(base_url: str, api_key: str) -> None:
    """A short question every two seconds, so that there is something to see."""
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {api_key}"}) as client:
        for turn in range(sys.maxsize):
            question = {"role": "user", "content": _QUESTIONS[turn % len(_QUESTIONS)]}
            body = {"model": "gpt-4o", "max_tokens": 60, "stream": True, "messages": [question]}
            async with client.post(f"{base_url}/chat/completions", json=body) as answer:
                await answer.read()
            await asyncio.sleep(_PAUSE_S)
