"""Two gateways that lease of one account, under storms: what is granted, charged and given back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio

from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.ledger.ledger_row import CHARGED, LedgerRow, RowKind
from app.domain.quota.lease import MOST
from app.domain.quota.limit import NANO, LimitName, Measure
from tests.e2e.short_holds import TTL_S
from tests.e2e.storms import MODELS, Lease, Look, Site, Tenant, site

# How often a gateway is asked decides whether it leases. Not in `make test`: storms do not end
# alike on every machine.
pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

#: What is reserved for one of the storm's requests, and how many of them there is room for.
TOKENS, NANO_USD, ROOM = 48, 420_000, 8000
AMOUNTS: Final = {
    LimitName.TOKENS_PER_DAY: ROOM * TOKENS,
    LimitName.RPM: ROOM,
    LimitName.USD_PER_DAY: ROOM * NANO_USD,
}
NEEDS: Final = {
    LimitName.TOKENS_PER_DAY: TOKENS,
    LimitName.RPM: 1,
    LimitName.USD_PER_DAY: NANO_USD,
}
#: Room for everybody, and counted all the same.
VAST: Final[dict[str, float]] = {"rpm": 1_000_000, "tokens_per_day": 10**9, "usd_per_day": 10**5}
TENANTS: Final[dict[str, dict[str, float]]] = {
    "tokens_per_day": {"tokens_per_day": ROOM * TOKENS},
    "rpm": {"rpm": ROOM},
    "usd_per_day": {"usd_per_day": ROOM * NANO_USD / NANO},
    "seldom": VAST,
    "concurrency": VAST | {"concurrency": 100_000},
    "rps": VAST | {"rps": 100_000},
    "spent": {"requests_per_day": 10},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Gateways of many tenants; each test asks for one of its own.

    On a Redis that nobody takes the tenants out of between tests, as is done to the shared ones.
    """
    place = tmp_path_factory.mktemp("gateways")
    async with embedded_redis(place / "redis") as server, site(place, server.url, TENANTS) as both:
        yield both


@asynccontextmanager
async def storming(directory: Path, redis_url: str, **options: Any) -> AsyncIterator[Tenant]:
    """Gateways of the test's own, for it ends one of them or stops their Redis; both lease."""
    name = f"stormy-{uuid4().hex[:8]}"
    async with site(directory, redis_url, {name: VAST}, **options) as started:
        yield started.tenant(name)


def served_of(rows: Iterable[LedgerRow]) -> list[str]:
    """The requests that were charged."""
    return sorted(row.request_id for row in rows if row.kind in CHARGED)


def leases_of(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Rows of leases that nobody settled."""
    return [row for row in rows if any(flag.startswith("lease:") for flag in row.flags)]


def sums_of(rows: Iterable[LedgerRow]) -> list[int]:
    """Requests, tokens and nano-dollars."""
    charged = [row.charged for row in rows if row.kind in CHARGED]
    return [sum(each.of(measure) for each in charged) for measure in Measure]


def committed(look: Look, scope: str = "tenant") -> list[int]:
    """The same, as the account has them."""
    return [look.committed(measure, scope) for measure in Measure]


def held(look: Look, scope: str = "tenant") -> list[int]:
    """What is held, in every measure."""
    return [look.held(measure, scope) for measure in Measure]


async def settled(where: Tenant) -> Look:
    """The account once nothing is held, which a lease is for half a second."""
    look = await where.books.until(lambda look: not look.holds)
    assert held(look) == [0, 0, 0]
    return look


async def check_books(where: Tenant) -> None:
    """Each request that was answered is charged once, and nothing else is."""
    look = await settled(where)
    rows = await where.books.rows()
    assert served_of(rows) == sorted(where.served)
    assert committed(look) == sums_of(rows)
    assert leases_of(rows) == []
    assert where.site.errors == []


async def leasing(where: Tenant) -> None:
    """Wait until both lease, and grant from it."""
    before, served = where.books.parts_settled, len(where.served)

    def both_lease(look: Look) -> bool:
        return all(look.leases_of(model) for model in MODELS)

    await where.books.until(
        lambda look: (
            both_lease(look)
            and where.books.parts_settled > before
            and len(where.served) > served + 500
        )
    )


async def more(where: Tenant) -> None:
    """Wait until the first has served some more."""
    before = len(where.answers["left"].served)
    await where.books.until(lambda _: len(where.answers["left"].served) > before + 300)


@pytest.mark.parametrize("name", AMOUNTS, ids=str)
async def test_a_limit_that_runs_out_in_a_storm_is_used_up_and_never_exceeded(
    both: Site, name: LimitName
) -> None:
    """At no moment is more charged and held; of what is left in the end, no request has room."""
    where, amount = both.tenant(name), AMOUNTS[name]
    async with where.storm():
        while len(where.refused) < 500:
            look = await where.books.look()
            assert look.used(name) <= amount
            leased = sum(lease.requests for lease in look.leases)
            # Two gateways know of each other some seconds after they began.
            assert leased <= 2 * MOST * ROOM
    assert where.books.parts_settled > 0, "leases were taken, and granted from"
    look = await settled(where)
    # What the last ones gave back is there for whoever asks now, to the last request.
    for _ in range(ROOM):
        if await where.ask(both.gateways[0]):
            break
        assert (await settled(where)).used(name) <= amount
    look = await settled(where)
    assert amount - NEEDS[name] < look.used(name) <= amount
    await check_books(where)
    assert len(where.served) + len(where.refused) == len(await where.books.rows())
    assert all(f"The limit {name} of" in each for each in where.refused)


async def test_who_asks_seldom_is_leased_nothing_until_they_ask_often(both: Site) -> None:
    """One by one, at fifty a second at most; a crowd of the same tenant then is."""
    where, both.azure.after_s = both.tenant("seldom"), 0.02
    for number in range(60):
        await where.ask(both.gateways[number % 2])
        await where.books.look()
    assert where.books.granted == {}
    both.azure.after_s = 0.0
    async with where.storm():
        await where.books.until(lambda _: where.books.parts_settled > 0)
    await check_books(where)


@pytest.mark.parametrize("limit", ["concurrency", "rps"])
async def test_where_a_limit_is_over_before_a_lease_is_nothing_is_leased(
    both: Site, limit: str
) -> None:
    """However often is asked, and however much room there is."""
    where = both.tenant(limit)
    async with where.storm():
        await where.books.until(lambda _: len(where.served) >= 1000)
    assert where.books.granted == {}
    await check_books(where)


async def test_a_gateway_that_has_only_refused_goes_on_refusing(both: Site) -> None:
    """The other one has granted all that there was: this one knows of nothing that is left."""
    where = both.tenant("spent")
    while not await where.ask(both.gateways[0]):
        pass
    async with where.storm(both.gateways[1]):
        await where.books.until(lambda _: len(where.refused) >= 500)
    assert where.books.granted == {}
    await check_books(where)


async def test_a_gateway_that_is_told_to_stop_gives_its_leases_back(
    tmp_path: Path, redis_url: str
) -> None:
    """When it is gone nothing of it is held, and all that it answered is charged."""
    async with storming(tmp_path, redis_url) as where:
        right = where.site.gateways[1].command
        async with where.storm():
            await leasing(where)
            await asyncio.to_thread(right.end)
            look = await where.books.look()
            assert look.leases_of("right") == []
            assert held(look, "model:right") == [0, 0, 0]
            await more(where)
        assert right.process.returncode == 0
        await check_books(where)


async def test_of_a_killed_gateway_the_leases_expire(tmp_path: Path, redis_url: str) -> None:
    """With a row each; what it had settled stays, and the other one serves on."""
    async with storming(tmp_path, redis_url, module="tests.e2e.short_holds") as where:
        async with where.storm():
            await leasing(where)
            await asyncio.to_thread(where.site.gateways[1].command.end, signal.SIGKILL)
            dead = await where.books.look()
            await more(where)
            await where.books.until(lambda look: held(look, "model:right") == [0, 0, 0])
        look, rows = await settled(where), await where.books.rows()
        assert where.refused == []
        assert where.site.errors == []
        assert committed(look) == sums_of(rows)
        assert len(set(served_of(rows))) == len(served_of(rows))
        theirs = [row for row in rows if row.model == "right"]
        assert committed(look, "model:right") == committed(dead, "model:right") == sums_of(theirs)
        others = [row for row in rows if row.model == "left"]
        assert served_of(others) == sorted(where.answers["left"].served)
        check_expired(dead.leases_of("right"), theirs, where.answers["right"].served)


def check_expired(leases: list[Lease], rows: list[LedgerRow], served: list[str]) -> None:
    """Each has a row; who was served but not charged is one of those that they were for."""
    names = {lease.name for lease in leases}
    expired = {row.id for row in rows if row.kind is RowKind.EXPIRED}
    assert {row.id for row in leases_of(rows)} == names <= expired
    assert names
    lost = set(served) - set(served_of(rows))
    assert len(lost) <= sum(lease.requests for lease in leases) + len(expired - names)


async def test_a_frozen_redis_costs_no_charge_and_none_is_made_twice(tmp_path: Path) -> None:
    """For a second, in which gateways grant by themselves, and answers of Redis are lost."""
    if installed_binaries().server is None:
        pytest.skip("no embedded Redis server for this machine")
    async with (
        embedded_redis(tmp_path / "redis") as server,
        storming(tmp_path, server.url, patience_ms=200) as where,
    ):
        pid = int((await where.books.redis.info("server"))["process_id"])
        async with where.storm():
            await leasing(where)
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(1)  # what is tested
            os.kill(pid, signal.SIGCONT)
            await leasing(where)
            await more(where)
        assert sum(each.degraded["local_share"] for each in where.answers.values()) > 0
        assert where.refused == []
        await check_books(where)


@pytest.mark.long
async def test_a_lease_is_held_for_as_long_as_a_request_runs_on_it(
    tmp_path: Path, redis_url: str
) -> None:
    """Longer than a hold that nobody extends: no request of it comes late."""
    async with storming(tmp_path, redis_url, module="tests.e2e.short_holds") as where:
        async with where.storm():
            await leasing(where)
            where.site.azure.after_s = 2 * TTL_S
            await where.books.until(lambda look: bool(look.leases))
        await check_books(where)
        assert {row.flags for row in await where.books.rows()} == {()}
