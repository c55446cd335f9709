"""Whatever happens to an account, it admits, holds and charges what the oracle says."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.adapters.redis.account import AccountScript
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.quota.limit import Kind, LimitName, Measure, Mode
from app.domain.quota.reservation import Amounts, Refusal, Reservation
from tests.fakes.changed import replace
from tests.fakes.patient import patient_client
from tests.properties.account_machine import SETTABLE, TTL_S, ZONES, Server, Tenant
from tests.properties.first_version import InTurns

TENANTS = st.sampled_from([0, 1])
KEYS = st.sampled_from(["k1", "k2"])
MODELS = st.sampled_from(["m1", "m2"])
AMOUNTS = st.builds(Amounts, st.just(1), st.integers(0, 60), st.integers(0, 60))
ACTUAL = AMOUNTS | st.just(Amounts())
LEASED = st.builds(Amounts, st.integers(2, 5), st.integers(0, 60), st.integers(0, 60))
PARTS = st.builds(Amounts, st.just(1), st.integers(0, 20), st.integers(0, 20))
#: What nobody uses of a lease.
REST = st.builds(Amounts, st.integers(0, 1), st.integers(0, 20), st.integers(0, 20))
#: What befalls a lease: some of it is settled in one call, time passes, or it ends.
SETTLED = st.lists(st.tuples(st.integers(0, 4), ACTUAL, st.booleans()), min_size=1, max_size=4)
FATES = st.lists(SETTLED | st.sampled_from([0, 500, 91_000]) | st.none(), max_size=6)
#: Seconds by which an asker's clock may be off.
SKEWS = st.sampled_from([0, 0, 0, -72_000, 72_000])
#: Amounts that a handful of requests use up, by measure.
ROOM: Final = {Measure.REQUESTS: st.integers(0, 5), Measure.TOKENS: st.integers(0, 150)}
MODES = st.sampled_from([mode for mode in Mode if mode is not Mode.SPILL])
LIMITS = st.sampled_from(range(len(SETTABLE)))
#: The evening before a month's last midnight, in every zone; far enough ahead that Redis keeps it.
START: Final = int(datetime(2031, 3, 31, 20, tzinfo=ZONES[0]).timestamp() * 1000)


def total(*amounts: Amounts) -> Amounts:
    return Amounts(*(sum(each.of(measure) for each in amounts) for measure in Measure))


class Accounts(RuleBasedStateMachine):
    """Two tenants whose requests bear the same ids."""

    server: Server
    script: type[AccountScript] = AccountScript

    def __init__(self) -> None:
        super().__init__()
        self.tenants: list[Tenant] = []
        self.now = self.latest = START
        self.last = 0
        self.abandoned: set[tuple[int, str]] = set()

    @initialize(
        begun=st.integers(0, 4 * 3_600_000),
        zones=st.tuples(*[st.integers(0, len(ZONES) - 1)] * 2),
        amounts=st.dictionaries(LIMITS, st.integers(0, 150), max_size=6),
        to_spill=st.tuples(st.integers(0, 150), st.integers(0, 150)),
    )
    def opens(
        self,
        begun: int,
        zones: tuple[int, int],
        amounts: dict[int, int],
        to_spill: tuple[int, int],
    ) -> None:
        self.set_clock(self.now + begun)
        self.tenants += [Tenant(self.server, zone, self.now, self.script) for zone in zones]
        for which, amount in amounts.items():
            scaled = amount if SETTABLE[which].measure is not Measure.REQUESTS else amount // 25
            for tenant in self.tenants:
                tenant.limits[which] = replace(SETTABLE[which], amount=scaled)
        budgets = (i for i, each in enumerate(SETTABLE) if each.mode is Mode.SPILL)
        for budget, amount in zip(budgets, to_spill, strict=True):
            self.tenants[0].limits[budget] = replace(SETTABLE[budget], amount=amount)

    def set_clock(self, now: int) -> None:
        self.now, self.latest = now, max(now, self.latest)
        self.server.set_clock(now)
        for tenant in self.tenants:
            tenant.oracle.now = now

    def ids(self, which: int) -> list[str]:
        """Requests whose workers live."""
        return [id_ for id_ in self.tenants[which].granted if (which, id_) not in self.abandoned]

    # ---- what workers do ----

    @rule(which=TENANTS, key=KEYS, model=MODELS, amounts=AMOUNTS, skew=SKEWS)
    def reserves(self, which: int, key: str, model: str, amounts: Amounts, skew: int) -> None:
        self.last += 1
        tenant = self.tenants[which]
        tenant.reserve(tenant.ask(f"r{self.last}", key, model, amounts, skew))

    @rule(which=TENANTS, crowd=st.lists(st.tuples(KEYS, MODELS, AMOUNTS), min_size=2, max_size=5))
    def reserve_together(self, which: int, crowd: list[tuple[str, str, Amounts]]) -> None:
        """In one turn of a worker's loop; one of them perhaps twice."""
        tenant = self.tenants[which]
        asks = []
        for key, model, amounts in crowd:
            self.last += 1
            asks.append(tenant.ask(f"r{self.last}", key, model, amounts))
        tenant.reserve_together([*asks, asks[0]] if len(crowd) % 2 else asks)

    @rule(which=TENANTS, key=KEYS, model=MODELS, amounts=AMOUNTS, late=st.integers(0, 100_000))
    def reserves_and_hears_nothing(
        self, which: int, key: str, model: str, amounts: Amounts, late: int
    ) -> None:
        """The answer is lost; some time later the same is asked again."""
        self.last += 1
        tenant = self.tenants[which]
        tenant.reserve(tenant.ask(f"r{self.last}", key, model, amounts))
        self.set_clock(self.now + late)
        tenant.reserve(tenant.ask(f"r{self.last}", key, model, amounts))

    @rule(which=TENANTS, data=st.data(), actual=ACTUAL, spilled=st.booleans())
    def settles(self, which: int, data: st.DataObject, actual: Amounts, *, spilled: bool) -> None:
        """Once, or again because no answer came; any time, also long after the first."""
        if ids := self.ids(which):
            id_ = data.draw(st.sampled_from(ids))
            for _ in range(data.draw(st.integers(1, 3))):
                self.tenants[which].settle(id_, actual, spilled=spilled)

    @rule(which=TENANTS, data=st.data(), spilled=st.booleans())
    def settles_several(self, which: int, data: st.DataObject, *, spilled: bool) -> None:
        """In one call; some of them perhaps twice."""
        if ids := self.ids(which):
            chosen = data.draw(st.lists(st.sampled_from(ids), min_size=2, max_size=5))
            settled = [(id_, data.draw(ACTUAL), spilled) for id_ in chosen]
            self.tenants[which].settle_several(settled)

    @rule(
        which=TENANTS,
        key=KEYS,
        model=MODELS,
        parts=st.lists(PARTS, min_size=1, max_size=3),
        rest=REST,
        fates=FATES,
    )
    def takes_a_lease(
        self,
        which: int,
        key: str,
        model: str,
        parts: list[Amounts],
        rest: Amounts,
        fates: list[list[tuple[int, Amounts, bool]] | int | None],
    ) -> None:
        """And grants of it; what befalls it then may end in the middle."""
        self.last += 1
        tenant, name = self.tenants[which], f"l{self.last}"
        tenant.take_lease(tenant.whole(name, key, model, total(*parts, rest)))
        if name not in tenant.leases:
            return
        ids = self.grant_of(which, name, parts)
        for fate in fates:
            if fate is None:
                ids += tenant.end_lease(name) if name in tenant.leases else ()
            elif isinstance(fate, int):
                self.set_clock(self.now + fate)
                tenant.look()
            else:
                settled = [(ids[at % len(ids)], actual, out) for at, actual, out in fate]
                tenant.settle_several(settled)
            tenant.check()

    def grant_of(self, which: int, lease: str, parts: list[Amounts]) -> list[str]:
        """The ids of those parts that it had room for."""
        ids: list[str] = []
        for amounts in parts:
            self.last += 1
            ids += self.tenants[which].grant_of(lease, f"p{self.last}", amounts)
        return ids

    @rule(which=TENANTS, data=st.data(), parts=st.lists(PARTS, min_size=1, max_size=3))
    def grants_of_a_lease(self, which: int, data: st.DataObject, parts: list[Amounts]) -> None:
        if leases := list(self.tenants[which].leases):
            self.grant_of(which, data.draw(st.sampled_from(leases)), parts)

    @rule(which=TENANTS, data=st.data(), actual=ACTUAL, spilled=st.booleans())
    def ends_a_lease(
        self, which: int, data: st.DataObject, actual: Amounts, *, spilled: bool
    ) -> None:
        """What was not used is given back, in one call with some that were, or perhaps again."""
        tenant = self.tenants[which]
        if not tenant.leases:
            return
        unused = tenant.end_lease(data.draw(st.sampled_from(list(tenant.leases))))
        if ids := self.ids(which):
            some = data.draw(st.lists(st.sampled_from(ids), max_size=4, unique=True))
            if mixed := data.draw(st.permutations([*unused, *some])):
                tenant.settle_several([(id_, actual, spilled) for id_ in mixed])

    @rule(which=TENANTS, data=st.data(), actual=ACTUAL, spilled=st.booleans())
    def settles_a_whole_lease(
        self, which: int, data: st.DataObject, actual: Amounts, *, spilled: bool
    ) -> None:
        """Every part that runs, in one call, and in any order."""
        granted = self.tenants[which].granted
        of = {id_: granted[id_].part for id_ in self.ids(which)}
        if names := sorted({part.lease for part in of.values() if part}):
            name = data.draw(st.sampled_from(names))
            parts = [id_ for id_, part in of.items() if part and part.lease == name]
            ordered = data.draw(st.permutations(parts))
            self.tenants[which].settle_several([(id_, actual, spilled) for id_ in ordered])

    @rule(which=TENANTS, key=KEYS, model=MODELS, amounts=LEASED, late=st.integers(0, 100_000))
    def asks_for_a_lease_and_hears_nothing(
        self, which: int, key: str, model: str, amounts: Amounts, late: int
    ) -> None:
        """Nothing is granted of it, and it is given back; twice, should that go unheard, too."""
        self.last += 1
        tenant = self.tenants[which]
        whole = tenant.whole(f"l{self.last}", key, model, amounts)
        tenant.reserve(whole)
        self.set_clock(self.now + late)
        tenant.give_back(whole)
        tenant.give_back(whole)

    @rule(which=TENANTS, data=st.data())
    def extends(self, which: int, data: st.DataObject) -> None:
        if ids := [*self.ids(which), *self.tenants[which].leases]:
            self.tenants[which].extend(data.draw(st.lists(st.sampled_from(ids), max_size=4)))

    @rule(which=TENANTS, data=st.data())
    def dies(self, which: int, data: st.DataObject) -> None:
        """A worker is killed: its requests are neither extended nor settled any more."""
        if ids := self.ids(which):
            self.abandoned.add((which, data.draw(st.sampled_from(ids))))

    @rule(which=TENANTS)
    def looks(self, which: int) -> None:
        self.tenants[which].look()

    # ---- what operators do ----

    @rule(which=TENANTS, limit=LIMITS, mode=MODES, data=st.data())
    def sets_a_limit(self, which: int, limit: int, mode: Mode, data: st.DataObject) -> None:
        chosen = SETTABLE[limit]
        amount = data.draw(ROOM.get(chosen.measure, ROOM[Measure.TOKENS]))
        if chosen.name is LimitName.RPS and data.draw(st.booleans()):
            chosen = replace(chosen, window_ms=2 * chosen.window_ms)
        if chosen.mode is not Mode.SPILL:  # which is no other's mode, and its own only one
            chosen = replace(chosen, mode=mode)
        self.tenants[which].limits[limit] = replace(chosen, amount=amount)

    @rule(which=TENANTS, limit=LIMITS)
    def lifts_a_limit(self, which: int, limit: int) -> None:
        self.tenants[which].limits.pop(limit, None)

    # ---- what happens ----

    @rule(
        ms=st.integers(0, 2_000)
        | st.sampled_from([10_000, 30_000, 61_000, 91_000, 3_600_000, 90_000_000])
    )
    def time_passes(self, ms: int) -> None:
        self.set_clock(self.now + ms)

    @rule(ms=st.integers(1, 5_000))
    def the_clock_is_set_back(self, ms: int) -> None:
        self.set_clock(self.now - ms)

    @rule(which=TENANTS, data=st.data(), beside=st.sampled_from([-1, 0, 1]))
    def an_edge_comes(self, which: int, data: st.DataObject, beside: int) -> None:
        """The moment at which a hold ends or a window forgets, and those beside it."""
        tenant = self.tenants[which]
        edges = sorted(set(tenant.oracle.edges(tenant.limits.values())))
        if coming := [edge for edge in edges if edge + beside > self.now]:
            self.set_clock(data.draw(st.sampled_from(coming)) + beside)

    @rule(which=TENANTS, key=KEYS, model=MODELS, amounts=AMOUNTS, data=st.data())
    def a_window_slides(
        self, which: int, key: str, model: str, amounts: Amounts, data: st.DataObject
    ) -> None:
        """It forgets what was just taken no sooner than after its length."""
        self.reserves(which, key, model, amounts, 0)
        limits = self.tenants[which].limits.values()
        if windows := sorted({limit.window_ms for limit in limits if limit.window_ms}):
            self.set_clock(self.now + data.draw(st.sampled_from(windows)) - 1)
            self.tenants[which].look()

    @rule(which=TENANTS, beside=st.sampled_from([-1, 0, 1]))
    def midnight_comes(self, which: int, beside: int) -> None:
        oracle = self.tenants[which].oracle
        today, step = oracle.day, 1 << 26
        while step:
            oracle.now += step
            if oracle.day != today:
                oracle.now -= step
            step >>= 1
        self.set_clock(oracle.now + 1 + beside)

    @rule(beside=st.sampled_from([-1, 0, 1]))
    def an_hour_ends(self, beside: int) -> None:
        """In these zones with the hour of Greenwich."""
        self.set_clock((self.now // 3_600_000 + 1) * 3_600_000 + beside)

    @precondition(lambda self: any(tenant.refused for tenant in self.tenants))
    @rule(which=TENANTS)
    def comes_back_when_told(self, which: int) -> None:
        """Who waits as long as the refusal said is not refused for that again."""
        tenant = self.tenants[which]
        if tenant.refused is None:
            return
        (ask, refusal), tenant.refused = tenant.refused, None
        pointless = refusal.wait_s is None or refusal.limit.kind is Kind.LIVE
        if pointless or tenant.refused_in != tenant.state:
            return
        assert refusal.wait_s is not None
        self.set_clock(self.now + round(refusal.wait_s * 1000))
        fresh = replace(tenant.ask(ask.id, "k1", "m1", ask.amounts), scopes=ask.scopes)
        again = tenant.reserve(replace(fresh, limits=(refusal.limit,)))
        assert isinstance(again, Reservation)

    @rule(which=TENANTS, repeated=st.booleans())
    def all_is_lost(self, which: int, *, repeated: bool) -> None:
        """And perhaps the answer to what was settled last, so that it is sent again."""
        tenant = self.tenants[which]
        tenant.flush()
        charged = [each.id for each in tenant.oracle.charges if each.id in tenant.granted]
        if repeated and charged:
            tenant.settle(charged[-1], Amounts(1, 7, 7))

    @rule(which=TENANTS, repeated=st.booleans())
    def a_generation_ends(self, which: int, *, repeated: bool) -> None:
        """Nothing is lost but perhaps the answer to what was settled last."""
        tenant = self.tenants[which]
        tenant.end_generation()
        charged = [each.id for each in tenant.oracle.charges if each.id in tenant.granted]
        if repeated and charged:
            tenant.settle(charged[-1], Amounts(1, 7, 7))

    # ---- what must be so ----

    @invariant()
    def the_account_is_as_the_oracle_says(self) -> None:
        for tenant in self.tenants:
            tenant.check()

    def teardown(self) -> None:
        """When everybody died, all that was held is room again, to the last token."""
        try:
            self.set_clock(self.latest + int(TTL_S * 1000))
            for tenant in self.tenants:
                self.all_that_is_left_can_be_had(tenant)
        finally:
            for tenant in self.tenants:
                tenant.wipe()

    def all_that_is_left_can_be_had(self, tenant: Tenant) -> None:
        tenant.look()
        tenant.check()
        assert not tenant.kept().holds
        day = SETTABLE[7]
        used = tenant.oracle.used(day)[0]
        tenant.limits = {7: replace(day, amount=used + 40)}
        too_much = tenant.ask("last-1", "k1", "m1", Amounts(1, 41))
        assert isinstance(tenant.reserve(too_much), Refusal)
        all_of_it = tenant.ask("last-2", "k1", "m1", Amounts(1, 40))
        assert isinstance(tenant.reserve(all_of_it), Reservation)


class RestartingAccounts(Accounts):
    """Their server is stopped, or killed, and comes back with what it had on disk."""

    own: OwnServer

    @rule(killed=st.booleans())
    def its_server_restarts(self, *, killed: bool) -> None:
        self.own.restart(killed=killed)


class OwnServer:
    """A server that nobody else uses, on a directory that outlives it."""

    def __init__(self, runner: asyncio.Runner, directory: Path) -> None:
        self._runner = runner
        self._directory = directory
        self._binaries = replace(installed_binaries(), search=None)
        self.start()

    def start(self) -> None:
        self._context = embedded_redis(self._directory, binaries=self._binaries)
        self.url = self._runner.run(self._context.__aenter__()).url

    def stop(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))

    def restart(self, *, killed: bool) -> None:
        """Stop it and start it again; killed, it can do nothing before it ends."""
        if killed:
            os.kill(self._runner.run(self._pid()), signal.SIGKILL)
        self.stop()
        self.start()

    async def _pid(self) -> int:
        async with patient_client(self.url) as client:
            return int((await client.info("server"))["process_id"])


@pytest.fixture
def server(redis_url: str) -> Iterator[Server]:
    """The test's Redis, called from a loop of its own."""
    with asyncio.Runner() as runner:
        client = patient_client(redis_url)
        yield Server(runner, client)
        runner.run(client.aclose())


def explore(
    server: Server,
    *,
    examples: int,
    steps: int,
    own: OwnServer | None = None,
    script: type[AccountScript] = AccountScript,
) -> None:
    """So many stories of so many steps; of a server's restarts, too, where it is one's own."""

    class OnServer(RestartingAccounts if own else Accounts):  # type: ignore[misc]  # one of the two
        pass

    OnServer.server, OnServer.own, OnServer.script = server, own, script
    run_state_machine_as_test(
        OnServer,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_clock_that_is_set_back_brings_back_what_a_window_forgot(server: Server) -> None:
    """Settled while it was forgotten, it counts as it was reserved: too much, never too little."""
    server.set_clock(START)
    tenant = Tenant(server, 0, START)

    def at(moment: int) -> Tenant:
        tenant.oracle.now = moment
        server.set_clock(moment)
        return tenant

    tenant.limits = {4: replace(SETTABLE[4], amount=100)}
    tenant.reserve(tenant.ask("r", "k1", "m1", Amounts(1, 60)))
    at(START + 61_000).settle("r", Amounts())
    at(START + 60_500).look()
    tenant.wipe()


def test_what_a_window_comes_to_follows_what_is_settled(server: Server) -> None:
    """At once, when a bucket of it has ended, and when its length changes."""
    server.set_clock(START)
    tenant = Tenant(server, 0, START)
    tokens, rate = replace(SETTABLE[4], amount=100), replace(SETTABLE[2], amount=100)
    tenant.limits = {2: rate, 4: tokens}
    for number, later in enumerate((0, 0, 900, 30_000, 30_000)):
        tenant.oracle.now += later
        server.set_clock(tenant.oracle.now)
        longer = replace(rate, window_ms=(1 + number % 2) * rate.window_ms)
        tenant.limits[2] = longer
        tenant.reserve(tenant.ask(f"r{number}", "k1", "m1", Amounts(1, 20)))
        tenant.look()
        tenant.settle(f"r{number}", Amounts(1, 5 + number))
        tenant.look()
    tenant.wipe()


def test_an_account_is_what_its_oracle_says(server: Server) -> None:
    """Two tenants, 100 stories of 30 steps."""
    explore(server, examples=100, steps=30)


def test_workers_of_two_versions_share_an_account(server: Server) -> None:
    """While one replaces the other, one by one: 20 stories of 30 steps."""
    explore(server, examples=20, steps=30, script=InTurns)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_workers_of_two_versions_share_an_account_for_long(server: Server) -> None:
    """200 stories of 40 steps."""
    explore(server, examples=200, steps=40, script=InTurns)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_account_is_what_its_oracle_says_for_long(server: Server) -> None:
    """Two tenants, 500 stories of 50 steps."""
    explore(server, examples=500, steps=50)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_account_survives_its_server(tmp_path: Path) -> None:
    """The same, 60 stories of 30 steps, on a server that is stopped and killed in between."""
    if installed_binaries().server is None:
        pytest.skip("no embedded Redis server for this machine")
    with asyncio.Runner() as runner:
        own = OwnServer(runner, tmp_path)
        try:
            client = patient_client(own.url)
            explore(Server(runner, client), examples=60, steps=30, own=own)
            runner.run(client.aclose())
        finally:
            own.stop()
