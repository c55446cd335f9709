"""Gateways as processes that share a Redis, an archive and a configuration; what to ask of them."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from app.cli.key import new_key
from tests.e2e.command import Spillgate, spillgate

KEY: Final = new_key("test")
ADMIN_KEY: Final = "an-admin-key-of-tests"
DEADLINE_S: Final = 60.0
SERVING: Final = "serving, all deployments simulated"


@dataclass(slots=True)
class Gateway:
    """A running process of either version, and what to ask of it."""

    command: Spillgate
    http: aiohttp.ClientSession
    data: str
    admin: str

    async def chat(self, key: str = KEY) -> int:
        """One short answer; its status."""
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        url, headers = f"{self.data}/v1/chat/completions", {"api-key": key}
        async with self.http.post(url, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def used(self) -> int:
        """Requests of today, as the tenant's own account tells."""
        url, headers = f"{self.data}/v1/spillgate/me", {"api-key": KEY}
        async with self.http.get(url, headers=headers) as answer:
            limits: list[dict[str, Any]] = (await answer.json())["limits"]
        (used,) = [each["used"] for each in limits if each["name"] == "requests_per_day"]
        return int(used)

    async def made(self, tenant: str) -> str:
        """A new tenant's key, by the admin API."""
        await self.post("tenants", name=tenant)
        return str((await self.post(f"tenants/{tenant}/keys", name="first"))["key"])

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """What the admin API answers."""
        url = f"{self.admin}/admin/v1/{path}"
        async with self.http.post(
            url, json=body, headers={"authorization": f"Bearer {ADMIN_KEY}"}
        ) as answer:
            assert answer.status < 300, await answer.text()
            return dict((await answer.json())["data"])

    async def end(self) -> None:
        """By TERM, as whoever replaces it does."""
        await asyncio.to_thread(self.command.end)
        assert self.command.process.returncode == 0, self.command.output


async def started(
    cwd: Path, config: Path, http: aiohttp.ClientSession, running: ExitStack
) -> Gateway:
    """A process of the version that is in `cwd`, or of this one where none is."""
    command = ("serve", "--config", str(config), "--simulate")
    process = running.enter_context(spillgate(*command, cwd=cwd))
    line = await asyncio.to_thread(process.logged, SERVING)
    return Gateway(process, http, line["data"], line["admin"])


def written(directory: Path, redis_url: str, a_day: int) -> Path:
    """A configuration there; its tenant may ask `a_day` times a day."""
    deployment = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    config = {
        "redis": {"url": redis_url, "operation_timeout_ms": 5000},
        "listen": {"port": 0, "admin_port": 0},
        "ledger": {"archive": str(directory / "ledger")},
        "admin": {"key": ADMIN_KEY},
        "deployments": {"paygo": deployment | {"auth": {"api_key": "k"}}},
        "models": {"gpt-4o": {"tiers": [["paygo"]]}},
        "tenants": {"team": {"keys": [KEY], "limits": {"requests_per_day": a_day}}},
        "simulator": {"ttft_ms": 0, "tpot_ms": 0},
        "timeouts": {"drain_lag_s": 0, "drain_s": 5},
    }
    path = directory / "spillgate.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


async def settled(gateway: Gateway, used: int) -> None:
    """Wait until the account says so."""
    async with asyncio.timeout(DEADLINE_S):
        while await gateway.used() != used:
            await asyncio.sleep(0.02)


async def let_in(gateway: Gateway, key: str) -> None:
    """Wait until a key that was made elsewhere is known here."""
    async with asyncio.timeout(DEADLINE_S):
        while await gateway.chat(key) != 200:
            await asyncio.sleep(0.02)
