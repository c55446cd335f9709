"""Kept answers on a real Redis: what goes wrong, what attackers try, how evictions race."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis.answers import AnswerLimits, RedisAnswers, kept_answers
from app.adapters.redis.answers_encoding import tag_of
from app.adapters.redis.answers_keeping import Fate
from app.adapters.redis.answers_script import (
    AnswersScript,
    Kept,
    Room,
    ToKeep,
    answers_key,
    key_of,
)
from app.adapters.redis.batch import Script
from app.adapters.redis.connection import Place
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import Binaries, installed_binaries
from app.adapters.redis.semantic_index import Space, Trouble, place_of, schema_of
from app.domain.cache.entry import Entry, Question
from app.domain.cache.kept import Selection
from app.errors import StoreUnavailable
from tests.fakes.embedder import packed
from tests.fakes.entries import an_entry
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_batch, patient_client
from tests.integration.redis.cluster import Cluster

pytestmark = pytest.mark.skipif(
    installed_binaries().search is None, reason="no embedded Redis with search for this machine"
)
CLOCK = SystemClock()
SPACE = Space("fake", 4)
PARTITION = b"p" * 16
NORTH, EAST = packed((1, 0), 4), packed((0, 1), 4)
FINGERPRINT = b"f" * 16
LONG_S: Final = 600.0
PATIENT = AnswerLimits(lookup_s=PATIENCE_S, search_s=PATIENCE_S, work_s=PATIENCE_S)
HURRIED = AnswerLimits(lookup_s=FROZEN_AFTER_S, search_s=FROZEN_AFTER_S, work_s=PATIENCE_S)


@asynccontextmanager
async def opened(
    url: str,
    limits: AnswerLimits = PATIENT,
    *,
    space: Space = SPACE,
    trouble: Trouble | None = None,
    cluster: bool = False,
) -> AsyncIterator[RedisAnswers]:
    """A cache as one worker has it, once its index is there, or known not to be."""
    async with kept_answers(
        Place(url, cluster=cluster), CLOCK, limits=limits, space=space
    ) as cache:
        await until(lambda: cache.index is not None and cache.index.trouble is trouble)
        yield cache


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def until_true(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[str]:
    """A server of the test's own."""
    async with embedded_redis(tmp_path) as running:
        yield running.url


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisAnswers]:
    async with opened(redis_url) as found:
        yield found


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with patient_client(redis_url) as found:
        yield found


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid4()}"


def asked(fingerprint: bytes = FINGERPRINT, prompt: str = "Why?", **more: Any) -> Entry:
    """The answer to a question that began just now."""
    question = Question(fingerprint, PARTITION, prompt)
    return an_entry(**{"question": question, "seconds": 0.0, **more})


async def kept(
    cache: RedisAnswers, tenant: str, entry: Entry, vector: bytes | None = NORTH
) -> None:
    await cache.keep(tenant, entry, LONG_S, vector)
    await cache.settled()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A server that neither answers nor is dead."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def sent(client: Any, *command: str | int | bytes) -> Any:
    """The answer to a command that redis-py has no method for."""
    return await client.execute_command(*command)


async def process_of(url: str) -> int:
    async with patient_client(url) as client:
        return int((await client.info("server"))["process_id"])


class TestWhatIsKept:
    async def test_every_answer_ends(self, cache: RedisAnswers, client: Redis, tenant: str) -> None:
        """Nothing of a tenant is kept for ever, and its name is in no key and no value."""
        await kept(cache, tenant, asked())
        await cache.evict(tenant, Selection(model="other"))

        keys = [key async for key in client.scan_iter(f"{answers_key(tag_of(tenant))}*")]
        left = [await client.pttl(key) for key in keys]
        dumps = [await client.dump(key) for key in keys]

        assert len(keys) == 3
        assert all(0 < each <= (LONG_S + 86_400) * 1000 for each in left)
        assert not any(tenant.encode() in part for part in (*keys, *dumps))

    @pytest.mark.parametrize("size", [0, 1, 4095, 4096, 200_000, 1_048_576])
    async def test_every_size(self, cache: RedisAnswers, tenant: str, size: int) -> None:
        """Small answers as they are, large ones packed where that saves room."""
        text = (b'{"index":0,"delta":"word %d"},' % size) * (size // 20 + 1)
        for body in (text[:size], random.Random(size).randbytes(size)):
            await kept(cache, tenant, asked(body=body))

            found = await cache.find(tenant, FINGERPRINT)

            assert found is not None
            assert found.body == body
        if size > 4096:
            await kept(cache, tenant, asked(body=text[:size]))
            assert (await cache.totals(tenant)).size < size / 2

    async def test_text_that_is_no_unicode(self, cache: RedisAnswers, tenant: str) -> None:
        """It is not kept, and counted."""
        await kept(cache, tenant, asked(prompt="\ud800"))

        assert await cache.find(tenant, FINGERPRINT) is None
        assert cache.fates[Fate.UNREADABLE] == 1

    async def test_a_crowd_begins_at_once(self, redis_url: str, tenant: str) -> None:
        """The first answers of a tenant, kept by several workers at once, are all kept."""
        async with AsyncExitStack() as stack:
            workers = [await stack.enter_async_context(opened(redis_url)) for _ in range(3)]
            entries = [asked(number.to_bytes(16, "big")) for number in range(60)]
            for number, entry in enumerate(entries):
                await workers[number % 3].keep(tenant, entry, LONG_S, NORTH)
            for worker in workers:
                await worker.settled()

            assert (await workers[0].totals(tenant)).answers == 60

    async def test_more_than_may_wait(self, redis_url: str, tenant: str) -> None:
        """Those that find no room to wait in are dropped and counted; the request goes on."""
        async with opened(redis_url) as cache:
            for number in range(400):
                await cache.keep(tenant, asked(number.to_bytes(16, "big")), LONG_S, None)
            await cache.settled()

            assert cache.fates[Fate.CROWDED_OUT] == 400 - 256
            assert (await cache.totals(tenant)).answers == 256


class TestDamage:
    @pytest.mark.parametrize("field", ["meta", "body"])
    async def test_any_byte(
        self, cache: RedisAnswers, client: Redis, tenant: str, field: str
    ) -> None:
        """Whichever byte is another, the answer is none, and counted."""
        await kept(cache, tenant, asked())
        key = key_of(tag_of(tenant), FINGERPRINT.hex())
        whole: Any = await client.hget(key, field)
        for at in range(0, len(whole), 7):
            wrong = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            await client.hset(key, field, wrong)

            assert await cache.find(tenant, FINGERPRINT) is None

        assert cache.damaged_total == len(range(0, len(whole), 7))

    @pytest.mark.parametrize("wrong", [None, b"", b"\x01", b"\x02" + b"x" * 40, b"x" * 1000])
    @pytest.mark.parametrize("field", ["meta", "body"])
    async def test_a_field_that_is_missing_or_wrong(
        self, cache: RedisAnswers, client: Redis, tenant: str, field: str, wrong: bytes | None
    ) -> None:
        """Found by what was asked or by meaning, it is none."""
        await kept(cache, tenant, asked())
        key = key_of(tag_of(tenant), FINGERPRINT.hex())
        if wrong is None:
            await client.hdel(key, field)
        else:
            await client.hset(key, field, wrong)

        assert await cache.find(tenant, FINGERPRINT) is None
        if field == "meta":
            assert list(await cache.nearest(tenant, PARTITION, NORTH, 9)) == []
            assert (await cache.entries(tenant, "", 9)).answers == ()
        assert cache.damaged_total >= 1

    async def test_keys_of_another_type(
        self, cache: RedisAnswers, client: Redis, tenant: str
    ) -> None:
        """A key that is no hash, or no sorted set, is a miss."""
        await kept(cache, tenant, asked())
        key = key_of(tag_of(tenant), FINGERPRINT.hex())
        await client.set(key, "x")
        assert await cache.find(tenant, FINGERPRINT) is None
        await client.set(answers_key(tag_of(tenant)), "x")
        assert await cache.find(tenant, FINGERPRINT) is None
        assert cache.damaged_total == 2

    async def test_anothers_answer_under_ones_own_tags(
        self, cache: RedisAnswers, client: Redis, tenant: str
    ) -> None:
        """An answer that the index takes for another's is not passed on.

        Marked with the other's tag, moved below the other's key, or put into another partition.
        """
        other = tenant + "x"
        await kept(cache, other, asked(prompt="Secret?"))
        await kept(cache, tenant, asked(b"g" * 16), EAST)
        its_key = key_of(tag_of(other), FINGERPRINT.hex())
        fields = await client.hgetall(its_key)

        await client.hset(its_key, "place", place_of(tag_of(tenant), PARTITION.hex()))
        near = await cache.nearest(tenant, PARTITION, NORTH, 9)
        assert [each.fingerprint for each in near] == [b"g" * 16]

        own_key = key_of(tag_of(tenant), FINGERPRINT.hex())
        own_place = place_of(tag_of(tenant), PARTITION.hex())
        own = await client.hget(key_of(tag_of(tenant), (b"g" * 16).hex()), "generation")
        moved: dict[Any, Any] = {**fields, b"place": own_place, b"generation": own}
        await client.hset(own_key, mapping=moved)
        near = await cache.nearest(tenant, PARTITION, NORTH, 9)
        assert [each.fingerprint for each in near] == [b"g" * 16]
        assert await cache.find(tenant, FINGERPRINT) is None

        elsewhere = b"q" * 16
        await client.hset(own_key, "place", place_of(tag_of(tenant), elsewhere.hex()))
        assert list(await cache.nearest(tenant, elsewhere, NORTH, 9)) == []

    async def test_ones_own_answer_in_another_place(
        self, cache: RedisAnswers, client: Redis, tenant: str
    ) -> None:
        """An answer of another partition, or below another's fingerprint, is near to nothing."""
        await kept(cache, tenant, asked())
        key = key_of(tag_of(tenant), FINGERPRINT.hex())
        fields: Any = await client.hgetall(key)
        elsewhere = b"q" * 16

        await client.hset(key_of(tag_of(tenant), "e" * 32), mapping=fields)
        await client.hset(key, "place", place_of(tag_of(tenant), elsewhere.hex()))

        assert list(await cache.nearest(tenant, elsewhere, NORTH, 9)) == []
        assert list(await cache.nearest(tenant, PARTITION, NORTH, 9)) == []
        assert cache.damaged_total == 2

    async def test_the_list_of_answers_is_thrown_away(
        self, cache: RedisAnswers, client: Redis, tenant: str
    ) -> None:
        """A server that wants memory may take any key: what cannot be evicted is not served."""
        await kept(cache, tenant, asked())
        await client.delete(answers_key(tag_of(tenant)))

        assert await cache.find(tenant, FINGERPRINT) is None

        await kept(cache, tenant, asked(b"g" * 16))
        assert await cache.find(tenant, FINGERPRINT) is None
        assert await cache.find(tenant, b"g" * 16) is not None


class TestTenantsApart:
    """Nobody has another's answer, whatever either is called and however near their prompts are."""

    ODD: Final = (
        "acme", "Acme", "ACME", "acme ", " acme", "acme,victim", "victim", "acme|victim", "{acme}",
        "{victim}", "acme}", "*", "**", "?", "[a-z]*", "acm", "acmee", "acme:entry", "acme:", ":",
        "ácme", "a\u0301cme", "\u0430cme", "\x00", "acme\x00", "\x1f", "acme\x1fvictim", "-",
        "@tenant:{*}", "acme} | @tenant:{*", "\\", "'", '"', "\n", "None", "null", "0", "🦊",
        "\ud800", "(acme)", tag_of("victim"),
    )  # fmt: skip

    async def test_ten_thousand_tries(self, redis_url: str) -> None:
        """Every name asks for what every other has: the same fingerprints, the nearest vectors."""
        mark = str(uuid4())
        names = [f"{name}{mark}" for name in self.ODD] + [f"{mark}{name}" for name in self.ODD]
        dice = random.Random(7)
        async with opened(redis_url) as cache:
            for name in names:
                own = name.encode("utf-8", "surrogatepass")
                for number in range(2):
                    vector = packed((1, dice.random() / 100), 4)
                    body = asked(number.to_bytes(16, "big"), f"Why? {number}", body=own)
                    await cache.keep(name, body, LONG_S, vector)
                await cache.settled()

            hits = 0
            for turn in range(10_000):
                name = dice.choice(names)
                own = name.encode("utf-8", "surrogatepass")
                partition = PARTITION if turn % 3 else dice.randbytes(16)
                fingerprint = dice.randrange(3).to_bytes(16, "big")
                if turn % 2:
                    vector = packed((1, dice.random() / 100), 4)
                    near = await cache.nearest(name, partition, vector, 5)
                    assert len(near) <= 2
                    assert {each.tenant for each in near} <= {name}
                    fingerprint = near[0].fingerprint if near else fingerprint
                found = await cache.find(name, fingerprint)
                assert found is None or found.body == own
                hits += found is not None

            assert hits > 5000
            assert cache.damaged_total == 0

    async def test_names_nobody_kept_for(self, cache: RedisAnswers, tenant: str) -> None:
        """A name that is like another's by any rule finds nothing."""
        await kept(cache, tenant, asked())
        likes = [tenant[:-1], tenant.upper(), f"{tenant}|x", f"x,{tenant}", f"{tenant}*", "*"]

        for like in (*likes, tag_of(tenant)):
            assert await cache.find(like, FINGERPRINT) is None
            assert list(await cache.nearest(like, PARTITION, NORTH, 9)) == []

    async def test_partitions_that_are_queries(self, cache: RedisAnswers, tenant: str) -> None:
        """Whatever bytes a partition has, it means nothing to the search."""
        await kept(cache, tenant, asked())

        for partition in (b"*", b"} | @tenant:{*", b"p", b"p" * 15, b"p" * 17, b"p" * 64):
            try:
                assert list(await cache.nearest(tenant, partition, NORTH, 9)) == []
            except ValueError:
                continue  # no partition is so short, or so long


class TestEvictions:
    async def test_they_race_with_keeping(self, redis_url: str, tenant: str) -> None:
        """Whatever was asked for before an eviction that has returned is found by nobody."""
        dice = random.Random(7)
        async with opened(redis_url) as one, opened(redis_url) as other:
            for turn in range(150):
                numbers = [bytes([turn, number]) * 8 for number in range(4)]
                for number in numbers:
                    await one.keep(tenant, asked(number), LONG_S, NORTH)
                for _ in range(dice.randrange(6)):
                    await asyncio.sleep(0)
                selection = dice.choice([Selection(), Selection(model="gpt-4o")])

                await other.evict(tenant, selection)

                await one.settled()
                assert [await other.find(tenant, each) for each in numbers] == [None] * 4
                assert list(await other.nearest(tenant, PARTITION, NORTH, 9)) == []
            await kept(one, tenant, asked())
            assert await other.find(tenant, FINGERPRINT) is not None

    async def test_more_than_one_step_removes(self, cache: RedisAnswers, tenant: str) -> None:
        """A thousand answers are evicted as exactly as one, by any selection, and listed."""
        for number in range(1000):
            model = "odd" if number % 2 else "even"
            await cache.keep(tenant, asked(number.to_bytes(16, "big"), model=model), LONG_S, NORTH)
            if number % 200 == 0:
                await cache.settled()
        await cache.settled()

        assert await cache.evict(tenant, Selection(model="odd")) == 500
        assert (await cache.totals(tenant)).answers == 500
        assert await cache.evict(tenant, Selection()) == 500
        assert (await cache.totals(tenant)).answers == 0
        assert list(await cache.nearest(tenant, PARTITION, NORTH, 9)) == []

    async def test_kept_anew_while_the_rest_is_removed(self, client: Redis, tenant: str) -> None:
        """Clearing is one step, removing several: what is kept between them stays."""
        tag = tag_of(tenant)
        room = Room(answers=9, size=9999)
        async with patient_batch(client, CLOCK) as batch:
            script = AnswersScript(batch)

            async def keep(meta: bytes) -> None:
                kept = ToKeep(FINGERPRINT.hex(), LONG_S, {"meta": meta})
                assert await script.keep(tag, await script.begin(tag), room, kept) is Kept.KEPT

            await keep(b"old")
            _, trash = await script.clear(tag)
            await keep(b"new")
            assert await script.sweep(tag, trash) == 0

            assert await script.find(tag, FINGERPRINT.hex()) == [b"new", None]

    async def test_in_the_same_microsecond(self, client: Redis, tenant: str) -> None:
        """Pages leave nothing out though answers would end at the same moment."""
        time = f"{{ '{int(CLOCK.unix())}', '0' }}"
        text = Script("answers.lua").text.replace("redis.call('TIME')", time)
        key = answers_key(tag_of(tenant))
        generation = ""
        for number in range(5):
            size = ("99999", "9", "99999", "1")
            keep = ("keep", "", generation, f"{number:032x}", *size, "meta", "x")
            assert await sent(client, "EVAL", text, 1, key, *keep) == b"kept"
            *_, generation = await sent(client, "EVAL", text, 1, key, "begin")

        listed, before = [], b"+inf"
        while page := await sent(client, "EVAL", text, 1, key, "list", before, "1"):
            [(fingerprint, before, _, _)] = page
            listed.append(int(fingerprint, 16))

        assert listed == [4, 3, 2, 1, 0]

    async def test_kept_on_the_other_side_of_a_freeze(self, own_redis: str, tenant: str) -> None:
        """A server that stood still does what it was sent in any order: evicted is evicted."""
        pid = await process_of(own_redis)
        async with opened(own_redis) as one, opened(own_redis) as other:
            await kept(one, tenant, asked(b"g" * 16))
            for turn in range(10):
                fingerprint = bytes([turn]) * 16
                with frozen(pid):
                    await one.keep(tenant, asked(fingerprint), LONG_S, NORTH)
                    await asyncio.sleep(0.01 * (turn % 3))
                    evicting = asyncio.create_task(other.evict(tenant, Selection()))
                    await asyncio.sleep(0.02)
                await evicting
                await one.settled()

                assert await other.find(tenant, fingerprint) is None


class TestIndex:
    async def test_dropped_while_running(self, own_redis: str, tenant: str) -> None:
        """Misses, not errors; it is made again with what it held."""
        async with opened(own_redis) as cache, patient_client(own_redis) as client:
            await kept(cache, tenant, asked())
            assert cache.index is not None
            with capture_logs() as logs:
                await sent(client, "FT.DROPINDEX", cache.index.name)

                assert list(await cache.nearest(tenant, PARTITION, NORTH, 9)) == []
                assert list(await cache.nearest(tenant, PARTITION, NORTH, 9)) == []
                assert await cache.find(tenant, FINGERPRINT) is not None

                await until_true(lambda: cache.nearest(tenant, PARTITION, NORTH, 9))
            assert cache.index.counts[Trouble.NOT_YET] >= 2
            assert [each["event"] for each in logs] == ["semantic_cache_off", "semantic_cache_on"]

    async def test_everything_is_flushed(self, own_redis: str, tenant: str) -> None:
        """The cache is empty and goes on."""
        async with opened(own_redis) as cache, patient_client(own_redis) as client:
            await kept(cache, tenant, asked())
            await client.flushall()

            assert await cache.find(tenant, FINGERPRINT) is None
            assert list(await cache.nearest(tenant, PARTITION, NORTH, 9)) == []

            await kept(cache, tenant, asked())
            await until_true(lambda: cache.nearest(tenant, PARTITION, NORTH, 9))

    async def test_another_embedder(self, own_redis: str, tenant: str) -> None:
        """What one embedder placed, another does not find, though dimensions are the same."""
        async with opened(own_redis) as one, opened(own_redis, space=Space("other", 4)) as other:
            await kept(one, tenant, asked())

            assert list(await one.nearest(tenant, PARTITION, NORTH, 9)) != []
            assert list(await other.nearest(tenant, PARTITION, NORTH, 9)) == []
            assert await other.find(tenant, FINGERPRINT) is not None

    async def test_no_search_module(self, tmp_path: Path, tenant: str) -> None:
        """Meaning is off, which is said once; the same question is answered, and no vector kept."""
        binaries = Binaries(installed_binaries().server, None, "left out")
        async with embedded_redis(tmp_path, binaries=binaries) as running:
            with capture_logs() as logs:
                async with opened(running.url, trouble=Trouble.NO_MODULE) as cache:
                    await self._only_the_same(cache, tenant)
                    async with patient_client(running.url) as client:
                        key = key_of(tag_of(tenant), FINGERPRINT.hex())
                        assert await client.hlen(key) == 3
            assert [each["reason"] for each in logs] == ["no_search_module"]

    async def test_no_permission(self, own_redis: str, tenant: str) -> None:
        """A user that may not make indexes has the exact cache."""
        async with patient_client(own_redis) as client:
            await sent(
                client,
                "ACL",
                "SETUSER",
                "clerk",
                "on",
                ">pw",
                "~*",
                "&*",
                "+@all",
                "-ft.create",
                "-ft.info",
            )
        url = own_redis.replace("unix://", "unix://clerk:pw@")
        with capture_logs() as logs:
            async with opened(url, trouble=Trouble.NO_PERMISSION) as cache:
                await self._only_the_same(cache, tenant)
        assert [each["reason"] for each in logs] == ["no_permission"]

    async def test_anothers_index_of_that_name(self, own_redis: str, tenant: str) -> None:
        """An index that we did not make is neither used nor dropped."""
        name = schema_of(SPACE).index.name
        async with patient_client(own_redis) as client:
            await sent(
                client, "FT.CREATE", name, "PREFIX", 1, "spillgate:", "SCHEMA", "tenant", "TEXT"
            )
            async with opened(own_redis, trouble=Trouble.ANOTHERS) as cache:
                await self._only_the_same(cache, tenant)
            assert name.encode() in await sent(client, "FT._LIST")

    async def _only_the_same(self, cache: RedisAnswers, tenant: str) -> None:
        await kept(cache, tenant, asked())
        assert await cache.find(tenant, FINGERPRINT) is not None
        assert list(await cache.nearest(tenant, PARTITION, NORTH, 9)) == []
        assert cache.index is not None
        assert sum(cache.index.counts.values()) == 1


class TestTrouble:
    async def test_frozen(self, own_redis: str, tenant: str) -> None:
        """Looks end within their time, then at once; nobody waits for keeping; it heals."""
        pid = await process_of(own_redis)
        async with opened(own_redis, HURRIED) as cache:
            await kept(cache, tenant, asked())
            with frozen(pid):
                waits = [await self._waited(cache, tenant) for _ in range(8)]
                began = CLOCK.now()
                await cache.keep(tenant, asked(b"g" * 16), LONG_S, NORTH)
                assert CLOCK.now() - began < FROZEN_AFTER_S / 2
                assert max(waits) < 10 * FROZEN_AFTER_S
                assert max(waits[-2:]) < FROZEN_AFTER_S / 2

            async def is_well() -> bool:
                try:
                    near = await cache.nearest(tenant, PARTITION, NORTH, 9)
                    return bool(near and await cache.find(tenant, FINGERPRINT))
                except StoreUnavailable:
                    return False

            await until_true(is_well)

    async def _waited(self, cache: RedisAnswers, tenant: str) -> float:
        """How long both looks take to be given up."""
        began = CLOCK.now()
        errors = await asyncio.gather(
            cache.find(tenant, FINGERPRINT),
            cache.nearest(tenant, PARTITION, NORTH, 9),
            return_exceptions=True,
        )
        assert [type(error).__mro__.count(StoreUnavailable) for error in errors] == [1, 1]
        return CLOCK.now() - began

    async def test_nobody_there(self, tenant: str) -> None:
        """It opens without a server, and says that there is none."""
        url = "unix:///nonexistent/redis.sock"
        async with opened(url, trouble=Trouble.NO_ANSWER) as cache:
            with pytest.raises(StoreUnavailable):
                await cache.find(tenant, FINGERPRINT)
            await kept(cache, tenant, asked())
            assert cache.fates[Fate.NO_STORE] == 1

    @pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
    async def test_quotas_are_in_the_same_server(
        self, own_redis: str, tenant: str, policy: str
    ) -> None:
        """One that evicts nothing keeps no answer well before it would refuse a reservation."""
        async with patient_client(own_redis) as client:
            for number in range(500):  # small parts, so that none is in a buffer when it counts
                await client.set(f"ballast-{number}", b"x" * 100_000)
            used = int((await client.info("memory"))["used_memory"])
            await client.config_set("maxmemory-policy", policy)
            await client.config_set("maxmemory", int(used / 0.85))
            with capture_logs() as logs:
                async with opened(own_redis) as cache:
                    stops = policy == "noeviction"
                    await until(lambda: len(logs) == stops)

                    await kept(cache, tenant, asked())

                    assert cache.fates[Fate.SERVER_FULL] == stops
                    assert cache.fates[Fate.KEPT] == (not stops)
                    await client.delete(*(f"ballast-{number}" for number in range(500)))
                    await until(lambda: not stops or logs[-1]["event"] == "cache_has_room")
                    await kept(cache, tenant, asked())
                    assert await cache.find(tenant, FINGERPRINT) is not None

    async def test_a_full_server(self, own_redis: str, tenant: str) -> None:
        """It keeps nothing more, and still answers."""
        async with opened(own_redis) as cache, patient_client(own_redis) as client:
            await kept(cache, tenant, asked())
            await client.config_set("maxmemory-policy", "noeviction")
            await client.config_set("maxmemory", "1")

            for _ in range(6):
                await kept(cache, tenant, asked(b"g" * 16))

            assert cache.fates == {Fate.KEPT: 1, Fate.NO_STORE: 6}
            for _ in range(20):
                assert await cache.find(tenant, FINGERPRINT) is not None
                assert len(await cache.nearest(tenant, PARTITION, NORTH, 9)) == 1
            assert await cache.evict(tenant, Selection(request_id="req_before")) == 1
            assert await cache.evict(tenant, Selection()) == 0
            assert await cache.evict("nobody", Selection()) == 0

    async def test_a_password_in_the_url(self, own_redis: str, tenant: str) -> None:
        """It is nowhere in what is logged."""
        url = own_redis.replace("unix://", f"unix://nobody:{quote('hunter2')}@")
        with capture_logs() as logs:
            async with kept_answers(Place(url), CLOCK, limits=PATIENT, space=SPACE) as cache:
                await until(lambda: logs)
                with pytest.raises(StoreUnavailable):
                    await cache.find(tenant, FINGERPRINT)
        assert "hunter2" not in str(logs)


@pytest.mark.long
class TestCluster:
    async def test_each_tenant_on_its_node(self, redis_cluster: Cluster, tenant: str) -> None:
        """Finding, keeping, listing, evicting work on every node; meaning is off and says so."""
        names = [f"{tenant}-{number}" for number in range(12)]
        async with opened(redis_cluster.url, cluster=True, trouble=Trouble.CLUSTER) as cache:
            for name in names:
                await kept(cache, name, asked(body=name.encode()))
            for name in names:
                found = await cache.find(name, FINGERPRINT)
                assert found is not None
                assert found.body == name.encode()
                assert list(await cache.nearest(name, PARTITION, NORTH, 9)) == []
            for name in names[::2]:
                assert await cache.evict(name, Selection()) == 1
            left = [name for name in names if await cache.find(name, FINGERPRINT)]
            assert left == names[1::2]
            assert await cache.evict(names[1], Selection(request_id="req_before")) == 1
            assert (await cache.entries(names[3], "", 9)).answers[0].request_id == "req_before"
