"""A real account and its oracle, driven step by step by the same story.

The account script asks the server for the time in one line. That line is replaced here, so that a
story may last for days and meet the edges of windows; everything else is the script as it is.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import Runner
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

from redis.asyncio import Redis

from app.adapters.accounts.lease import Lease
from app.adapters.redis.account import AccountScript, SeedTotals, Settlement, Unseeded, account_key
from app.adapters.redis.batch import Batch, Command, Script
from app.domain.quota.calendar import CalendarWindow, days_around, hours_of, months_around
from app.domain.quota.lease import is_leasable
from app.domain.quota.limit import SPILLED, Kind, Limit, LimitName, Measure, Mode, scopes_of
from app.domain.quota.reservation import UNUSED, Amounts, Ask, Charge, Part, Refusal, Reservation
from tests.fakes.changed import replace
from tests.properties.oracle import Charged, Oracle, counted, need, sums, without_zeros

T = TypeVar("T")
Windows = tuple[CalendarWindow, ...]

CLOCK: Final = "test-clock"
SERVER_TIME: Final = "local time = redis.call('TIME')\n"
TEST_TIME: Final = f"""
local clock = tonumber(redis.call('GET', '{CLOCK}'))
local time = {{ math.floor(clock / 1000), (clock % 1000) * 1000 }}
"""
TTL_S: Final = 90.0
#: Of the keys of an account, those that are hashes; what follows a colon is not looked at.
HASHES: Final = {"hour", "day", "month", "window", "live", "holds"}
#: In which today's day and month windows are, so that no total is too old to be kept.
ZONES: Final = (UTC, ZoneInfo("America/Sao_Paulo"), ZoneInfo("Africa/Cairo"))


def limit(name: LimitName, scope: str, kind: Kind, measure: Measure, window_ms: int = 0) -> Limit:
    mode = Mode.SPILL if scope == SPILLED else Mode.HARD
    return Limit(name, scope, kind, measure, 0, mode, window_ms)


#: Limits that may be set, without their amounts: of every kind, in every scope.
SETTABLE: Final = (
    limit(LimitName.CONCURRENCY, "tenant", Kind.LIVE, Measure.REQUESTS),
    limit(LimitName.CONCURRENCY, "key:k1", Kind.LIVE, Measure.REQUESTS),
    limit(LimitName.RPS, "tenant", Kind.WINDOW, Measure.REQUESTS, 10_000),
    limit(LimitName.RPM, "key:k1", Kind.WINDOW, Measure.REQUESTS, 60_000),
    limit(LimitName.TPM, "tenant", Kind.WINDOW, Measure.TOKENS, 60_000),
    limit(LimitName.TPM, "model:m1", Kind.WINDOW, Measure.TOKENS, 60_000),
    limit(LimitName.REQUESTS_PER_DAY, "key:k2", Kind.DAY, Measure.REQUESTS),
    limit(LimitName.TOKENS_PER_DAY, "tenant", Kind.DAY, Measure.TOKENS),
    limit(LimitName.TOKENS_PER_DAY, "key:k1/model:m1", Kind.DAY, Measure.TOKENS),
    limit(LimitName.TOKENS_PER_MONTH, "tenant", Kind.MONTH, Measure.TOKENS),
    limit(LimitName.USD_PER_DAY, "model:m2", Kind.DAY, Measure.NANO_USD),
    limit(LimitName.USD_PER_DAY, SPILLED, Kind.DAY, Measure.NANO_USD),
    limit(LimitName.USD_PER_HOUR, SPILLED, Kind.HOUR, Measure.NANO_USD),
)


class OnTestClock(Batch):
    """Calls a server one by one, and has scripts run by the test's clock."""

    def __init__(self, server: Redis) -> None:
        self._server = server

    async def call(self, command: Command, *, as_told: bool = False) -> Any:
        server: Any = self._server
        return await server.execute_command(*command)

    async def script(self, script: Script, key: str, *args: bytes | str) -> Any:
        assert script.text.count(SERVER_TIME) == 1
        text = script.text.replace(SERVER_TIME, TEST_TIME)
        return await self.call(("EVAL", text, 1, key, *args))


@dataclass(slots=True)
class Server:
    """A Redis, and the loop that its clients live in."""

    runner: Runner
    client: Redis

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def set_clock(self, now: int) -> None:
        self.run(self._set_clock(now))

    async def _set_clock(self, now: int) -> None:
        await self.client.set(CLOCK, now)


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything an account holds: each hash and sorted set as it is, and the ledger."""

    hashes: dict[str, dict[str, str]]
    expiry: dict[str, int]
    rows: list[tuple[dict[str, Any], str]]
    expired: set[str]  # holds that a late settlement finds
    leased: set[str]  # leases of which it is remembered what was settled

    def total(self, period: str, name: str, state: str) -> dict[str, int]:
        """Totals of one state, zeros left out, by MEASURE:SCOPE."""
        totals = self.hashes.get(f"{period}:{name}", {})
        found = {
            field.removeprefix(f"{state}:"): int(amount)
            for field, amount in totals.items()
            if field.startswith(f"{state}:")
        }
        return without_zeros(found)

    @property
    def holds(self) -> dict[str, Any]:
        return {id_: json.loads(raw) for id_, raw in self.hashes.get("holds", {}).items()}


class Tenant:
    """One tenant's account on the server beside its oracle; each step checks one by the other."""

    def __init__(
        self,
        server: Server,
        zone_index: int,
        now: int,
        script: Callable[..., AccountScript] = AccountScript,
    ) -> None:
        self.server = server
        self.name = uuid4().hex
        self.oracle = Oracle(ZONES[zone_index], now)
        self.limits: dict[int, Limit] = {}
        self.script = script(OnTestClock(server.client), ttl_s=TTL_S)
        self.granted: dict[str, Reservation] = {}  # what workers know of
        self.leases: dict[str, Lease] = {}  # that are granted from
        self.rows: list[tuple[dict[str, Any], str]] = []  # what the archive has of streams now gone
        self.generation = 0
        self.refused: tuple[Ask, Refusal] | None = None
        self.refused_in: object = None
        self.reseed()

    @property
    def state(self) -> object:
        """What it takes for a refusal to be still what would be said now."""
        oracle = self.oracle
        return oracle.now, len(oracle.holds), len(oracle.charges), dict(self.limits)

    def around(self, skew_s: int = 0) -> tuple[Windows, Windows]:
        """The days and months around now, by a clock that is so many seconds off."""
        moment, zone = self.oracle.now / 1000 + skew_s, self.oracle.zone
        return days_around(moment, zone), months_around(moment, zone)

    # ---- steps ----

    def ask(self, id_: str, key_id: str, model: str, amounts: Amounts, skew_s: int = 0) -> Ask:
        """A request as a worker would ask for it whose clock is `skew_s` seconds off."""
        scopes = scopes_of(key_id, model)
        if any(each.scope == SPILLED for each in self.limits.values()):
            scopes = (*scopes, SPILLED)
        met = tuple(each for each in self.limits.values() if each.scope in scopes)
        days, months = self.around(skew_s)
        draft = json.dumps({"id": id_, "kind": "expired"}).encode()
        return Ask(id_, self.name, scopes, amounts, met, days, months, draft)

    def reserve(self, ask: Ask) -> Reservation | Refusal:
        """Refused exactly where a hard limit has no room; then nothing has changed."""
        return self.reserve_together([ask])[0]

    def reserve_together(self, asks: Sequence[Ask]) -> list[Reservation | Refusal]:
        """As if they had come one after the other; where all are refused nothing has changed."""
        oracle, quiet = self.oracle, not self.oracle.overdue
        before = self.kept() if quiet else None
        overdue = oracle.overdue
        answers = self.server.run(self._reserved(asks))
        oracle.expire(overdue)
        for ask, answer in zip(asks, answers, strict=True):
            self._note_answer(ask, answer)
        if before is not None and all(isinstance(answer, Refusal) for answer in answers):
            assert self.kept() == before
        return answers

    async def _reserved(self, asks: Sequence[Ask]) -> list[Reservation | Refusal]:
        if type(self.script) is AccountScript:
            return await asyncio.gather(*map(self.script.reserve, asks))
        return [await self.script.reserve(ask) for ask in asks]  # versions keep no order together

    def _note_answer(self, ask: Ask, answer: Reservation | Refusal) -> None:
        oracle = self.oracle
        if ask.id in oracle.holds:
            assert isinstance(answer, Reservation)
            if SPILLED in ask.scopes:
                assert answer.may_spill == (SPILLED in oracle.holds[ask.id].scopes)
            return
        must, may = oracle.is_refused(ask.amounts, ask.limits)
        if isinstance(answer, Refusal):
            assert may
            self._check_refusal(answer, ask)
            return
        assert not must
        self._check_grant(answer, ask)
        ttl_ms, aside = int(TTL_S * 1000), ask.aside
        oracle.grant(ask.id, ask.amounts, ask.scopes, limits=ask.limits, ttl_ms=ttl_ms, aside=aside)
        if not aside:
            self.granted[ask.id] = answer

    def _check_refusal(self, refusal: Refusal, ask: Ask) -> None:
        assert refusal.limit.mode is Mode.HARD
        assert self.oracle.lacks(refusal.limit, need(ask.amounts, refusal.limit))[1]
        least, most = self.oracle.used(refusal.limit)
        assert least <= refusal.used <= most
        self.refused, self.refused_in = (ask, refusal), self.state

    def _check_grant(self, granted: Reservation, ask: Ask) -> None:
        assert (granted.day.name, granted.month.name) == (self.oracle.day, self.oracle.month)
        assert granted.hour is not None
        assert granted.hour.name == self.oracle.hour
        shut = self.oracle.shut(ask.amounts, ask.limits)
        for index, met in enumerate(ask.limits):
            must, may = self.oracle.lacks(met, need(ask.amounts, met))
            assert must <= (index in granted.over) <= may
            least, most = self.oracle.used(met)
            room = met.amount - (0 if met.scope in shut else need(ask.amounts, met))
            assert room - most <= granted.left[index] <= room - least

    def whole(self, id_: str, key_id: str, model: str, amounts: Amounts) -> Ask:
        """A lease as a worker asks for it; of limits it meets those that can be leased."""
        ask = replace(self.ask(id_, key_id, model, amounts), scopes=scopes_of(key_id, model))
        met = [each for each in ask.limits if is_leasable(replace(ask, limits=(each,)))]
        return replace(ask, limits=tuple(met), aside=True)

    def take_lease(self, whole: Ask) -> None:
        """Granted as a reservation is."""
        granted = self.reserve(whole)
        if isinstance(granted, Reservation):
            self.leases[whole.id] = Lease(granted, float("inf"))

    def grant_of(self, lease: str, id_: str, amounts: Amounts) -> tuple[str, ...]:
        """From a worker's memory, if so much is left: its id."""
        whole = self.leases[lease]
        part = whole.part(replace(whole.whole.ask, id=id_, amounts=amounts, aside=False))
        if part is None:
            return ()
        self.granted[id_] = part
        return (id_,)

    def end_lease(self, lease: str) -> tuple[str, ...]:
        """The id of what was not used of it, if anything: it is settled as a part is."""
        unused = self.leases.pop(lease).close()
        if unused is None:
            return ()
        self.granted[lease] = unused
        return (lease,)

    def give_back(self, ask: Ask) -> None:
        """What may have been granted unheard, as whoever asked gives it back."""
        unheard = Reservation(ask, generation="", day=ask.days[1], month=ask.months[1])
        [outcome] = self.server.run(
            self.script.settle(self.name, [Settlement(unheard, Charge(Amounts(), b""))])
        )
        assert outcome in self.oracle.outcomes(ask.id, of_this_generation=True)
        if outcome != "duplicate":
            self.oracle.release(ask.id)

    def extend(self, ids: Sequence[str]) -> None:
        """What lives goes on for another time to live; what ended stays ended."""
        alive = self.server.run(self.script.extend(self.name, ids))
        self.oracle.expire(self.oracle.overdue)
        assert alive == {id_ for id_ in ids if id_ in self.oracle.holds}
        for id_ in alive:
            self.oracle.holds[id_].ends = self.oracle.now + int(TTL_S * 1000)

    def settle(self, id_: str, actual: Amounts, *, spilled: bool = False) -> None:
        """Charged once, whenever it comes and however often; where it was spilled, also there."""
        self.settle_several([(id_, actual, spilled)])

    def settle_several(self, settled: Sequence[tuple[str, Amounts, bool]]) -> None:
        """In one call."""
        charges = [self._charge(*each) for each in settled]
        settlements = [
            Settlement(self.granted[each.id], Charge(each.amounts, _packed(each, part), spilled))
            for each, part, spilled in charges
        ]
        outcomes = self.server.run(self.script.settle(self.name, settlements))
        for (charged, part, _), outcome in zip(charges, outcomes, strict=True):
            self._note_settled(charged, part, outcome)

    def _note_settled(self, charged: Charged, part: Part | None, outcome: str) -> None:
        granted = self.granted[charged.id]
        ours = granted.generation == self.generation_name
        assert outcome in self.oracle.outcomes(charged.id, of_this_generation=ours, part=part)
        if part is None:
            self.oracle.settle(charged, outcome, of_this_generation=ours)
            return
        of_it = granted.ask.amounts
        self.oracle.settle_part(charged, outcome, part, of_it, of_this_generation=ours)

    def _charge(
        self,
        id_: str,
        actual: Amounts,
        spilled: bool,  # noqa: FBT001  # a step's
    ) -> tuple[Charged, Part | None, bool]:
        granted = self.granted[id_]
        if granted.part and granted.part.number == UNUSED:
            actual, spilled = Amounts(), False
        unspilled = tuple(scope for scope in granted.ask.scopes if scope != SPILLED)
        scopes = (*unspilled, SPILLED) if spilled else unspilled
        assert granted.hour is not None
        windows = granted.day.name, granted.month.name, granted.hour.name
        return Charged(id_, actual, scopes, *windows), granted.part, spilled

    def look(self) -> None:
        """What is read of limits is what they are."""
        limits = list(self.limits.values())
        _, used = self.server.run(self.script.read(self.name, limits, *self.around()))
        self.oracle.expire(self.oracle.overdue)
        for met, amount in zip(limits, used, strict=True):
            least, most = self.oracle.used(met)
            assert least <= amount <= most, met

    def flush(self) -> None:
        """Everything is lost; until it is seeded again nothing is admitted and no charge lost."""
        self.rows += self.kept().rows
        self.wipe()
        self._is_unseeded(self.script.reserve(self.ask("x", "k1", "m1", Amounts(1))))
        if granted := next(iter(self.granted.values()), None):
            late = Settlement(granted, Charge(Amounts(1, 1, 1), b"{}"))
            self._is_unseeded(self.script.settle(self.name, [late]))
        self.oracle.flush()
        self.reseed()

    def end_generation(self) -> None:
        """Nothing is lost, but it is not certain: what the archive has is in force from now on."""
        self.server.run(self.script.end(self.name))
        self._is_unseeded(self.script.reserve(self.ask("x", "k1", "m1", Amounts(1))))
        self.oracle.begin_generation()
        self.reseed()

    def _is_unseeded(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            self.server.run(work)
        except Unseeded:
            return
        raise AssertionError("an account without a generation was used")

    def reseed(self) -> None:
        """Begin a generation from the rows that were collected, each id counted once."""
        first: dict[str, dict[str, Any]] = {}
        for row, mark in self.rows + self.kept().rows:
            if mark != "expired":
                first.setdefault(row["id"], row)
        days, months = self.around()
        hours = tuple(hour for day in days for hour in hours_of(day))
        windows = {"hour": hours, "day": days, "month": months}
        totals = [
            SeedTotals(period, window, _sum_of(first.values(), period, window.name))
            for period in windows
            for window in windows[period]
        ]
        self.generation += 1
        seeded = self.script.seed(
            self.name, totals, generation=self.generation_name, charged=list(first)
        )
        assert self.server.run(seeded) == self.generation_name

    @property
    def generation_name(self) -> str:
        return f"g{self.generation}"

    # ---- what is kept ----

    def check(self) -> None:
        """The invariants, on the bare data."""
        kept, oracle = self.kept(), self.oracle
        ended = {row["id"] for row, mark in kept.rows if mark == "expired"}
        oracle.expire(id_ for id_ in oracle.overdue if id_ in ended and id_ not in kept.holds)
        held_in = {id_: tuple(hold["scopes"]) for id_, hold in kept.holds.items()}
        assert held_in == {id_: hold.scopes for id_, hold in oracle.holds.items()}
        left = {id_: _amounts(hold) for id_, hold in kept.holds.items()}
        assert left == {id_: hold.amounts for id_, hold in oracle.holds.items()}
        assert kept.expiry == {id_: hold.ends for id_, hold in oracle.holds.items()}
        assert kept.expired == oracle.expired.keys()
        known = oracle.holds | oracle.expired
        assert kept.leased == {id_ for id_, hold in known.items() if hold.settled}
        for period in ("hour", "day", "month"):
            self._check_totals(kept, period)
        live = without_zeros({name: int(n) for name, n in kept.hashes.get("live", {}).items()})
        running = (hold for hold in kept.holds.values() if "aside" not in hold)
        assert live == _counts(hold["scopes"] for hold in running)
        for name, buckets in kept.hashes.items():
            if name.startswith("window:"):
                assert all(int(amount) >= 0 for amount in buckets.values()), name
        self._check_rows(kept)

    def _check_totals(self, kept: Kept, period: str) -> None:
        """Held is the sum of holds, committed that of charges: in every scope and measure."""
        names = {getattr(each, period) for each in self.oracle.charges}
        names |= {hold[period]["name"] for hold in kept.holds.values()}
        names |= {name.partition(":")[2] for name in kept.hashes if name.startswith(f"{period}:")}
        shown = {getattr(self.oracle, period)}  # older windows are not seeded again
        for name in names:
            holds = [hold for hold in kept.holds.values() if hold[period]["name"] == name]
            held = sums((counted(period, hold["scopes"]), _amounts(hold)) for hold in holds)
            assert kept.total(period, name, "held") == held
            if self.generation == 1 or name in shown:
                assert kept.total(period, name, "committed") == self.oracle.committed(period, name)

    def _check_rows(self, kept: Kept) -> None:
        """Every charge has its row, every id is charged once, and what is odd is marked."""
        rows = self.rows + kept.rows
        charged = [row["id"] for row, mark in kept.rows if mark in {"", "late"}]
        assert len(charged) == len(set(charged))
        first: dict[str, list[int]] = {}
        for row, mark in rows:
            if mark != "expired":
                first.setdefault(row["id"], row["amounts"])
        expected: dict[str, list[int]] = {}
        for each in self.oracle.charges:
            expected.setdefault(each.id, list(_triple(each.amounts)))
        assert first == expected
        lost = [row["id"] for row, mark in kept.rows if mark == "expired"]
        late = {self._held_as(row["id"]) for row, mark in kept.rows if mark == "late"}
        assert late <= set(lost)
        assert self.oracle.expired.keys() <= set(lost)

    def _held_as(self, id_: str) -> str:
        part = self.granted[id_].part
        return part.lease if part else id_

    def kept(self) -> Kept:
        """A copy of everything but lifetimes."""
        return self.server.run(self._kept())

    async def _kept(self) -> Kept:
        client: Any = self.server.client
        prefix = f"{account_key(self.name)}:"
        names = [name.decode().removeprefix(prefix) for name in await client.keys(f"{prefix}*")]
        hashes = [name for name in names if name.partition(":")[0] in HASHES]
        pipeline = client.pipeline(transaction=False)
        for name in hashes:
            pipeline.hgetall(prefix + name)
        pipeline.zrange(f"{prefix}expiry", 0, -1, withscores=True)
        pipeline.xrange(f"{prefix}ledger")
        *found, ends, entries = await pipeline.execute()
        rows = [(json.loads(each[b"row"]), each[b"mark"].decode()) for _, each in entries]
        return Kept(
            {name: _text(fields) for name, fields in zip(hashes, found, strict=True)},
            {id_.decode(): int(score) for id_, score in ends},
            rows,
            _after("expired:", names),
            _after("leased:", names),
        )

    def wipe(self) -> None:
        """Delete every key of the account."""
        self.server.run(self._wipe())

    async def _wipe(self) -> None:
        client = self.server.client
        if names := await client.keys(f"{account_key(self.name)}:*"):
            await client.delete(*names)


def _packed(charged: Charged, part: Part | None) -> bytes:
    """What was not used of a lease has no row."""
    if part and part.number == UNUSED:
        return b""
    return json.dumps(_row(charged)).encode()


def _row(charged: Charged) -> dict[str, object]:
    return {
        "id": charged.id,
        "kind": "settled",
        "amounts": _triple(charged.amounts),
        "scopes": charged.scopes,
        "day": charged.day,
        "month": charged.month,
        "hour": charged.hour,
    }


def _amounts(hold: dict[str, Any]) -> Amounts:
    return Amounts(hold["requests"], hold["tokens"], int(hold["nano_usd"]))


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in fields.items()}


def _after(prefix: str, names: Sequence[str]) -> set[str]:
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def _triple(amounts: Amounts) -> tuple[int, int, int]:
    return amounts.requests, amounts.tokens, amounts.nano_usd


def _counts(groups: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for group in groups:
        for each in group:
            found[each] = found.get(each, 0) + 1
    return found


def _sum_of(rows: Any, period: str, name: str) -> dict[str, int]:
    ours = (row for row in rows if row[period] == name)
    return sums((counted(period, row["scopes"]), Amounts(*row["amounts"])) for row in ours)
