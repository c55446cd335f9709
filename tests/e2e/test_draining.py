"""A deployment drained under load, over two gateways on one Redis: no new request reaches it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from app.bootstrap.comparison import compared
from app.bootstrap.process import Process
from app.bootstrap.running import running
from app.settings import Settings
from tests.e2e.stack import DEADLINE_S, Stack, ptu_and_paygo, stack

ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
CLIENTS = 6
#: On its way from a gateway to the simulator, on a loop that all of this shares. Seconds.
IN_FLIGHT_S = 2.0


@asynccontextmanager
async def another_gateway(team: Stack, directory: Path) -> AsyncIterator[Process]:
    """On the same Redis and simulator, with an archive of its own."""
    settings = team.process.current.settings
    ledger = {"ledger": settings.ledger and settings.ledger.model_copy(
        update={"archive": str(directory)}
    )}  # fmt: skip
    async with running(settings.model_copy(update=ledger)) as process:
        yield process


async def changed(team: Stack, process: Process, name: str, body: Any) -> Any:
    """Have an operator change a deployment, by one gateway's admin API."""
    url = f"{process.admin_url}/admin/v1/deployments/{team.name(name)}"
    async with team.http.patch(url, json=body, headers=ADMIN) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def chat(sdk: AsyncOpenAI, cap: int = 4) -> str | None:
    """One stream, read to its end; why it ended."""
    stream = await sdk.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Hi"}],
        max_tokens=cap,
        stream=True,
    )
    reasons = [chunk.choices[0].finish_reason async for chunk in stream if chunk.choices]
    return reasons[-1]


async def push(sdk: AsyncOpenAI, ends: asyncio.Event) -> None:
    """Ask without a pause."""
    while not ends.is_set():
        assert await chat(sdk) in {"stop", "length"}


async def rows(team: Stack, name: str, since: float = 0.0) -> list[dict[str, Any]]:
    """What a deployment was asked for since then."""
    found = [row for row in await team.served() if row["deployment"] == team.name(name)]
    return [row for row in found if row["started"] > since]


async def until(found: Callable[[], Awaitable[Sized]], *, count: int = 1) -> None:
    """Wait until there are so many."""
    async with asyncio.timeout(DEADLINE_S):
        while len(await found()) < count:
            await asyncio.sleep(0.02)


async def test_no_new_request_reaches_a_drained_deployment(redis_url: str, tmp_path: Path) -> None:
    """On either gateway, once the change is answered; a stream under way ends by itself."""
    async with (
        stack(redis_url, ptu_and_paygo, ttft_ms=5, tpot_ms=5) as team,
        another_gateway(team, tmp_path) as other,
        AsyncOpenAI(
            base_url=f"{other.data_url}/v1", api_key=team.key, max_retries=0, timeout=120
        ) as sdk,
    ):
        ends = asyncio.Event()
        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(push(team.sdk, ends))
                clients.create_task(push(sdk, ends))
            long = clients.create_task(chat(team.sdk, cap=2400))
            await until(lambda: rows(team, "ptu"))
            answer = await changed(team, other, "ptu", {"state": "draining"})
            drained_at = time.time()
            assert answer["in_force"]["workers"] == answer["in_force"]["live"] == 2
            assert answer["data"]["state"] == "draining"
            is_open = not long.done()
            await asyncio.sleep(IN_FLIGHT_S)
            settled_at = time.time()
            await until(lambda: rows(team, "paygo-a", settled_at), count=CLIENTS)
            ends.set()
        assert is_open, "the stream was too short to be under way"
        assert long.result() in {"stop", "length"}
        assert await rows(team, "ptu", drained_at + IN_FLIGHT_S) == []
        instead = await rows(team, "paygo-a", drained_at) + await rows(team, "paygo-b", drained_at)
        assert len(instead) > CLIENTS
        assert all(row["outcome"] == "complete" for row in await team.served())

        await changed(team, team.process, "ptu", {"state": "enabled"})
        enabled_at = time.time()
        for each in (team.sdk, sdk):
            await chat(each)
        assert len(await rows(team, "ptu", enabled_at)) == 2


async def test_what_is_stored_on_a_drained_deployment_still_works(
    redis_url: str, tmp_path: Path
) -> None:
    """It is retrieved and continued there; and the drain is explained, compared, and kept."""
    async with stack(redis_url, ptu_and_paygo) as team:
        first = await team.sdk.responses.create(model="gpt-4o", input="Hi")
        await changed(team, team.process, "ptu", {"state": "draining"})
        raw = team.sdk.responses.with_raw_response
        continued = await raw.create(model="gpt-4o", input="Go on", previous_response_id=first.id)
        assert continued.headers["x-spillgate-deployment"] == team.name("ptu")
        assert (await team.sdk.responses.retrieve(first.id)).id == first.id
        anew = await raw.create(model="gpt-4o", input="Hi")
        assert anew.headers["x-spillgate-deployment"] != team.name("ptu")
        assert anew.headers["x-spillgate-spill"] == "policy"

        settings: Settings = team.process.current.settings
        said = await asyncio.to_thread(lambda: list(compared(settings)))
        assert f"in force otherwise: deployments.{team.name('ptu')}: draining" in said
        async with another_gateway(team, tmp_path) as restarted:
            states = {each.name: each.state for each in restarted.deployments().data}
            assert states[team.name("ptu")] == "draining"


async def test_a_model_without_anybody_left_is_refused_and_can_be_tried_again(
    redis_url: str,
) -> None:
    """As when nobody has room; nothing was asked of the drained one."""
    config = ptu_and_paygo
    async with stack(redis_url, config) as team:
        for name in ("ptu", "paygo-a", "paygo-b"):
            await changed(team, team.process, name, {"state": "draining"})
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"authorization": f"Bearer {team.key}"}
        url = f"{team.base_url}/chat/completions"
        async with team.http.post(url, json=body, headers=headers) as answer:
            assert answer.status == 429
        assert await team.served() == []


async def test_a_weight_is_in_force_on_every_gateway(redis_url: str, tmp_path: Path) -> None:
    """Of two that had equal parts, one gets nearly everything."""
    async with (
        stack(redis_url, ptu_and_paygo) as team,
        another_gateway(team, tmp_path) as other,
        AsyncOpenAI(
            base_url=f"{other.data_url}/v1", api_key=team.key, max_retries=0, timeout=120
        ) as sdk,
    ):
        await changed(team, team.process, "ptu", {"state": "draining"})
        await changed(team, team.process, "paygo-a", {"weights": {"gpt-4o": 1_000_000}})
        for _ in range(15):
            await asyncio.gather(chat(team.sdk), chat(sdk))
        assert len(await rows(team, "paygo-a")) == 30
