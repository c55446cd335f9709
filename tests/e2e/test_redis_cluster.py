"""A whole gateway on a cluster of three Redis nodes: exact, and no node's loss is another's."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest

from app.adapters.archive.reader import ArchiveReader
from app.adapters.redis.embedded_binaries import installed_binaries
from app.cli.key import new_key
from app.domain.ledger.ledger_row import CHARGED
from app.domain.quota.calendar import days_around
from tests.e2e.stack import Stack, stack
from tests.e2e.steady_load import steadily
from tests.integration.redis.cluster import Cluster, Server, free_port, running_cluster

ROOM: Final = 37
CROWD: Final = 100
ADMIN: Final = {"authorization": "Bearer an-admin-key-of-tests"}
CHAT: Final = {
    "model": "gpt-4o",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "On which node are you?"}],
}
POLICIES: Final = ("local_share", "fail_closed", "fail_open")


class Answer(NamedTuple):
    """What a caller saw of it, and for how many seconds it waited."""

    status: int
    degraded: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class House:
    """A gateway, and the nodes that its tenants live on."""

    team: Stack
    cluster: Cluster
    keys: Mapping[str, str]

    async def ask(self, tenant: str) -> Answer:
        """One request of a tenant."""
        began = time.monotonic()
        url = f"{self.team.base_url}/chat/completions"
        headers = {"api-key": self.keys[tenant]}
        async with self.team.http.post(url, json=CHAT, headers=headers) as answer:
            await answer.read()
            degraded = answer.headers.get("x-spillgate-degraded")
            return Answer(answer.status, degraded, time.monotonic() - began)

    async def storm(self, tenant: str, size: int = CROWD) -> Counter[int]:
        """Many at once; the statuses."""
        answers = await asyncio.gather(*(self.ask(tenant) for _ in range(size)))
        return Counter(answer.status for answer in answers)

    async def becomes(self, tenant: str, wanted: Callable[[Answer], bool]) -> float:
        """Seconds until the tenant's answers are as wanted."""
        began = time.monotonic()
        async with asyncio.timeout(20):
            while not wanted(await self.ask(tenant)):
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def allow(self, tenant: str, requests_a_day: int) -> int:
        """Change a limit by the admin API; the status."""
        url = f"{self.team.process.admin_url}/admin/v1/tenants/{tenant}/limits"
        async with self.team.http.get(url, headers=ADMIN) as answer:
            version = answer.headers["etag"]
        body = {"limits": [{"name": "requests_per_day", "amount": requests_a_day}]}
        headers = ADMIN | {"if-match": version}
        async with self.team.http.put(url, json=body, headers=headers) as answer:
            return answer.status

    async def settled(self) -> bool:
        """Whether all that was admitted is charged."""
        accounts: Any = self.team.process.resources.accounts
        return bool(await accounts.settled(10))

    async def committed(self, tenant: str) -> int:
        """Requests of today by the tenant's account."""
        day = f"spillgate:{{{tenant}}}:day:{days_around(time.time())[1].name}"
        with self.cluster.server_of(day).client() as client:
            return int(client.hget(day, "committed:requests:tenant") or 0)

    def archived(self, tenant: str) -> int:
        """Charged requests by the tenant's archived ledger."""
        ledger = self.team.process.current.settings.ledger
        assert ledger is not None
        rows = ArchiveReader(Path(ledger.archive)).rows(tenant)
        return sum(row.kind in CHARGED for row in rows)

    async def agree(self, tenant: str, requests: int) -> None:
        """Account and archive both come to know as many requests, and stay so."""
        async with asyncio.timeout(20):
            while self.archived(tenant) < requests:
                await asyncio.sleep(0.05)
        assert (await self.committed(tenant), self.archived(tenant)) == (requests, requests)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes; who kills one starts it again."""
    binary = installed_binaries().server
    if binary is None:
        pytest.skip("no embedded Redis server for this machine")
    with running_cluster(binary, tmp_path_factory.mktemp("cluster")) as running:
        yield running


@asynccontextmanager
async def house(
    cluster: Cluster, tenants: Mapping[str, Mapping[str, Any]], *, patience_ms: int = 5000
) -> AsyncIterator[House]:
    """A gateway with these tenants."""
    keys = {name: new_key("test") for name in tenants}
    seeds = {name: {"keys": [keys[name]], **given} for name, given in tenants.items()}
    redis = {"url": cluster.url, "cluster": True, "operation_timeout_ms": patience_ms}

    parts = {"redis": redis, "tenants": seeds}
    async with stack(cluster.url, lambda suffix: _config(suffix) | parts) as team:
        yield House(team, cluster, keys)


def _config(suffix: str) -> dict[str, Any]:
    azure = {"endpoint": "https://x.openai.azure.com", "model": "gpt-4o", "deployment": "d"}
    paygo = azure | {"kind": "paygo", "tpm": 100_000_000, "auth": {"api_key": "k"}}
    return {
        "deployments": {f"paygo-{suffix}": paygo},
        "models": {"gpt-4o": {"tiers": [[f"paygo-{suffix}"]]}},
    }


def on_each(cluster: Cluster, prefix: str) -> dict[Server, str]:
    """Names of tenants, one on each node, unlike any other test's."""
    mark = uuid4().hex[:8]
    return {server: cluster.name_on(server, f"{prefix}-{mark}") for server in cluster.servers}


def directory_of(cluster: Cluster) -> Server:
    """The node that tenants and keys are on."""
    return cluster.server_of("spillgate:{directory}:head")


async def test_every_tenant_gets_exactly_its_room(cluster: Cluster) -> None:
    """Crowds on all nodes at once, before and after a limit is changed and the config reloaded."""
    names = list(on_each(cluster, "team").values())
    limits = {"requests_per_day": ROOM}
    async with house(cluster, {name: {"limits": limits} for name in names}) as place:
        storms = await asyncio.gather(*(place.storm(name) for name in names))
        assert storms == [{200: ROOM, 429: CROWD - ROOM}] * 3
        for name in names:
            assert await place.allow(name, ROOM + 5) == 200
        settings = place.team.process.current.settings
        await place.team.process.reload(settings)
        storms = await asyncio.gather(*(place.storm(name, 20) for name in names))
        assert storms == [{200: 5, 429: 15}] * 3
        assert await place.settled()
        for name in names:
            await place.agree(name, ROOM + 5)


async def test_a_lost_node_is_lost_to_its_own_tenants_alone(cluster: Cluster) -> None:
    """By each policy; the others notice nothing; all is charged and archived when it is back."""
    lost, *others = (each for each in cluster.servers if each is not directory_of(cluster))
    await lose(cluster, lost, [*others, directory_of(cluster)])


async def test_a_start_without_the_cluster_is_bounded() -> None:
    """Tenants of the config are served by their policy until there is one."""
    key, port = new_key("test"), free_port()
    began = time.monotonic()

    def config(suffix: str) -> dict[str, Any]:
        return _config(suffix) | {
            "redis": {"url": f"redis://127.0.0.1:{port}", "cluster": True},
            "tenants": {"early": {"keys": [key]}},
        }

    async with stack("", config) as team:
        assert time.monotonic() - began < 30
        url, headers = f"{team.base_url}/chat/completions", {"api-key": key}
        async with team.http.post(url, json=CHAT, headers=headers) as answer:
            assert (answer.status, answer.headers["x-spillgate-degraded"]) == (200, "local_share")


@pytest.mark.long
async def test_the_directorys_node_may_be_the_lost_one(cluster: Cluster) -> None:
    """Keys are known to every worker; only changes have to wait."""
    lost = directory_of(cluster)
    await lose(cluster, lost, [each for each in cluster.servers if each is not lost])


async def lose(cluster: Cluster, lost: Server, others: list[Server]) -> None:
    """Kill a node while tenants of all nodes ask, and start it again."""
    safe = {name: server for server, name in on_each(cluster, "safe").items() if server in others}
    struck = {policy: on_each(cluster, policy)[lost] for policy in POLICIES}
    limits = {"requests_per_day": 1000}
    tenants = {name: {"limits": limits} for name in safe} | {
        name: {"limits": limits, "redis_loss": policy} for policy, name in struck.items()
    }
    async with house(cluster, tenants) as place:
        served: Counter[str] = Counter()

        async def ask(name: str) -> Answer:
            answer = await place.ask(name)
            served[name] += answer.status == 200
            return answer

        for name in tenants:
            assert (await ask(name))[:2] == (200, None)
        lost.kill()
        try:
            for _ in range(30):
                answers = dict(zip(tenants, await asyncio.gather(*map(ask, tenants)), strict=True))
                assert {answers[name][:2] for name in safe} == {(200, None)}
                assert answers[struck["fail_closed"]].status == 503
                for policy in ("local_share", "fail_open"):
                    assert answers[struck[policy]][:2] == (200, policy)
            changed = await place.allow(next(iter(safe)), 2000)
            assert changed == (503 if lost is directory_of(cluster) else 200)
        finally:
            lost.start()
        for name in struck.values():
            await place.becomes(name, lambda answer: answer[:2] == (200, None))
            served[name] += 1
        # `becomes` may have been served degraded a few times before: the account tells.
        assert await place.settled()
        for name in safe:
            await place.agree(name, served[name])
        for name in struck.values():
            assert await place.committed(name) >= served[name]
            await place.agree(name, await place.committed(name))


@pytest.mark.long
async def test_a_frozen_node_costs_its_tenants_milliseconds(cluster: Cluster) -> None:
    """50 ms for the first to ask it, nothing for the others; healed within 5 s."""
    frozen, *others = cluster.servers
    names = on_each(cluster, "team")
    async with house(cluster, {name: {} for name in names.values()}, patience_ms=50) as place:
        for name in names.values():
            await place.becomes(name, lambda answer: answer[:2] == (200, None))
        before = await load(place, list(names.values()), 2)
        with frozen.frozen():
            during = await load(place, list(names.values()), 40)
        healed = await place.becomes(names[frozen], lambda answer: answer[:2] == (200, None))
        for server, name in names.items():
            label = "frozen" if server is frozen else "another"
            print(  # noqa: T201  # the figures, shown by -rP or -s
                f"{label} node: median {percentile(before[name], 50):.1f} -> "
                f"{percentile(during[name], 50):.1f} ms, p99 {percentile(before[name], 99):.1f} -> "
                f"{percentile(during[name], 99):.1f} ms, degraded "
                f"{sum(each.degraded is not None for each in during[name])} of {len(during[name])}"
            )
        print(f"healed in {healed:.1f} s")  # noqa: T201  # as above
        assert {each[:2] for each in during[names[frozen]]} == {(200, "local_share")}
        for other in others:
            assert {each[:2] for each in during[names[other]]} == {(200, None)}
            assert rise(before[names[other]], during[names[other]], 90) < 10
        assert rise(before[names[frozen]], during[names[frozen]], 99) < 50
        assert healed < 5


async def load(place: House, names: list[str], seconds: float) -> dict[str, list[Answer]]:
    """20 requests a second of each tenant."""
    answers: dict[str, list[Answer]] = {name: [] for name in names}

    async def ask_each() -> None:
        found = await asyncio.gather(*map(place.ask, names))
        for name, answer in zip(names, found, strict=True):
            answers[name].append(answer)

    await steadily(int(seconds * 20), 20, ask_each)
    return answers


def percentile(answers: list[Answer], number: int) -> float:
    """Of the latencies, in milliseconds."""
    return statistics.quantiles([each.seconds * 1000 for each in answers], n=100)[number - 1]


def rise(before: list[Answer], during: list[Answer], number: int) -> float:
    """By how many milliseconds a percentile rose."""
    return percentile(during, number) - percentile(before, number)


@pytest.mark.long
async def test_a_node_that_comes_back_empty_is_seeded_from_the_archive(cluster: Cluster) -> None:
    """What was spent is known again before anybody is admitted; the others' accounts stay."""
    names = on_each(cluster, "team")
    lost = cluster.servers[0]
    given = {"limits": {"requests_per_day": ROOM}, "redis_loss": "fail_closed"}
    async with house(cluster, dict.fromkeys(names.values(), given)) as place:
        storms = await asyncio.gather(*(place.storm(name, 20) for name in names.values()))
        assert storms == [{200: 20}] * 3
        assert await place.settled()
        for name in names.values():
            await place.agree(name, 20)
        lost.kill()
        lost.forget()
        lost.start()
        await place.becomes(names[lost], lambda answer: answer.status in {200, 429})
        storms = await asyncio.gather(*(place.storm(name, 50) for name in names.values()))
        assert [storm[200] for storm in storms] == [ROOM - 20 - (s is lost) for s in names]
        assert await place.settled()
        for name in names.values():
            await place.agree(name, ROOM)
