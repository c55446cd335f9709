"""A whole Spillgate on a simulated Azure, in the test's own loop, and what to ask of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import aiohttp
from openai import AsyncOpenAI

from app.adapters.logs import Logs
from app.bootstrap.process import Process
from app.bootstrap.running import running
from app.bootstrap.simulation import pointed_at, simulated_deployments
from app.cli.key import new_key
from app.domain.ledger.completion import Receipt
from app.settings import build, load_catalog
from app.simulator.server import serve_simulator

#: Longer than any machine is busy: what does not come about within it never does.
DEADLINE_S = 60.0


@dataclass(slots=True)
class Receipts:
    """An observer that keeps what it is told."""

    kept: list[Receipt] = field(default_factory=list)

    def observe(self, *receipts: Receipt) -> None:
        """Keep them."""
        self.kept.extend(receipts)


@dataclass(slots=True)
class Stack:
    """One gateway, one simulator; deployment names carry a suffix, so that tests share a Redis."""

    process: Process
    simulator_url: str
    key: str
    suffix: str
    receipts: Receipts
    http: aiohttp.ClientSession
    sdk: AsyncOpenAI

    @property
    def base_url(self) -> str:
        """What an SDK is pointed at."""
        return f"{self.process.data_url}/v1"

    def openai(self, **options: Any) -> AsyncOpenAI:
        """The stack's own client, which does not retry unless told to."""
        return self.sdk.with_options(**options) if options else self.sdk

    def name(self, deployment: str) -> str:
        """A deployment's full name."""
        return f"{deployment}-{self.suffix}"

    async def receipt(self, request_id: str) -> Receipt:
        """The receipt of one request, which comes after its answer."""
        found: list[Receipt] = []

        def has_come() -> bool:
            found[:] = [each for each in self.receipts.kept if each.request_id == request_id]
            return bool(found)

        await eventually(has_come)
        assert len(found) == 1, "a request has one receipt"
        return found[0]

    async def served(self) -> list[dict[str, Any]]:
        """The simulator's ledger."""
        async with self.http.get(f"{self.simulator_url}/_sim/ledger") as answer:
            rows: list[dict[str, Any]] = (await answer.json())["served"]
            return rows

    async def fault(self, deployment: str, **fault: Any) -> None:
        """Arm a fault on one deployment."""
        body = {"deployment": self.name(deployment), **fault}
        async with self.http.post(f"{self.simulator_url}/_sim/faults", json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def reset(self) -> None:
        """Clear the simulator's ledger and faults, and our own receipts."""
        async with self.http.post(f"{self.simulator_url}/_sim/reset") as answer:
            assert answer.status < 300, await answer.text()
        self.receipts.kept.clear()


@asynccontextmanager
async def stack(
    redis_url: str,
    config: Callable[[str], Mapping[str, Any]],
    *,
    logs: Logs | None = None,
    **simulator: Any,
) -> AsyncIterator[Stack]:
    """Start both; `config` is given the suffix that its deployment names must end in.

    Beside the sections of a configuration it may have `tenant`: what the stack's tenant is like.
    `logs`: those of the process, as `serve` has them; None: what the test has set up.
    """
    suffix, key = uuid4().hex[:8], new_key("test")
    given = dict(config(suffix))
    tenant = given.pop("tenant", {})
    base = {
        # A busy machine is not what is tested.
        "redis": {"url": redis_url, "operation_timeout_ms": 5000},
        "listen": {"port": 0, "admin_port": 0},
        "admin": {"key": "an-admin-key-of-tests"},
        "simulator": {"ttft_ms": 0, "tpot_ms": 0} | simulator,
        "tenants": {f"team-{suffix}": {"keys": [key], **tenant}} | given.pop("tenants", {}),
        "timeouts": {"connect_s": 30, "drain_lag_s": 0, "drain_s": 1} | given.pop("timeouts", {}),
    }
    opened = AsyncExitStack()
    archive = opened.enter_context(TemporaryDirectory())
    settings = build(base | {"ledger": {"archive": archive}} | given)
    receipts = Receipts()
    deployments = simulated_deployments(settings, load_catalog())
    async with (
        opened,
        serve_simulator(deployments) as simulator_url,
        running(pointed_at(settings, simulator_url), observers=(receipts,), logs=logs) as process,
        aiohttp.ClientSession() as http,
        AsyncOpenAI(
            base_url=f"{process.data_url}/v1", api_key=key, max_retries=0, timeout=120
        ) as sdk,
    ):
        yield Stack(process, simulator_url, key, suffix, receipts, http, sdk)


def ptu_and_paygo(suffix: str, *, ptus: int = 100, tpm: int = 100_000_000) -> dict[str, Any]:
    """A PTU first, two PAYGO deployments behind it, on the URL shapes that Azure has."""
    azure = {"endpoint": "https://x.openai.azure.com", "model": "gpt-4o", "deployment": "gpt-4o"}
    azure["auth"] = {"api_key": "k"}  # type: ignore[assignment]  # a mapping of mixed values
    classic = {"api": "classic", "api_version": "2024-10-21"}
    names = [f"ptu-{suffix}", f"paygo-a-{suffix}", f"paygo-b-{suffix}"]
    return {
        "deployments": {
            names[0]: azure | {"kind": "ptu", "ptus": ptus} | classic,
            names[1]: azure | {"kind": "paygo", "tpm": tpm},
            names[2]: azure | {"kind": "paygo", "tpm": tpm} | classic,
        },
        "models": {"gpt-4o": {"tiers": [[names[0]], [names[1], names[2]]]}},
    }


async def eventually(holds: Callable[[], Any], *, within_s: float = DEADLINE_S) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)
