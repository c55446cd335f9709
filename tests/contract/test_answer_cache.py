"""What every answer cache promises, the tests' own included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol
from uuid import uuid4

import pytest

from app.adapters.clock import SystemClock
from app.adapters.redis.answers import AnswerLimits, kept_answers
from app.adapters.redis.answers_script import Room
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.semantic_index import Space
from app.domain.cache.entry import Entry, Question
from app.domain.cache.kept import PROMPT_BEGINNING, Selection
from app.ports import AnswerCache, KeptAnswers
from tests.fakes.embedder import packed
from tests.fakes.entries import an_entry
from tests.fakes.patient import PATIENCE_S, patient
from tests.fakes.remembered_answers import RememberedAnswers

pytestmark = pytest.mark.skipif(
    installed_binaries().search is None, reason="no embedded Redis with search for this machine"
)
CLOCK = SystemClock()
SPACE = Space("fake", 4)
PARTITION = b"p" * 16
NORTH, NEARLY_NORTH, EAST = (packed(each, 4) for each in ((1, 0), (1, 0.1), (0, 1)))
LONG_S = 600.0


class Cache(AnswerCache, KeptAnswers, Protocol):
    """Both ports."""

    async def settled(self) -> None: ...


Opening = Callable[..., AbstractAsyncContextManager[Cache]]


@pytest.fixture(params=["memory", "redis"])
def opening(request: pytest.FixtureRequest) -> Opening:
    """How a cache is opened, with less room where a test says so."""

    @asynccontextmanager
    async def in_memory(**room: int) -> AsyncIterator[Cache]:
        yield RememberedAnswers(CLOCK, **room)

    @asynccontextmanager
    async def in_redis(*, entry_size: int = 1 << 20, **room: int) -> AsyncIterator[Cache]:
        limits = AnswerLimits(
            lookup_s=PATIENCE_S,
            search_s=PATIENCE_S,
            work_s=PATIENCE_S,
            entry_size=entry_size,
            room=Room(room.get("answers", 1000), room.get("size", 1 << 30)),
        )
        async with kept_answers(patient(url), CLOCK, limits=limits, space=SPACE) as cache:
            async with asyncio.timeout(PATIENCE_S):
                while cache.index is not None and cache.index.trouble is not None:
                    await asyncio.sleep(0.005)
            yield cache

    if request.param == "memory":
        return in_memory
    url = request.getfixturevalue("redis_url")
    return in_redis


@pytest.fixture
async def cache(opening: Opening) -> AsyncIterator[Cache]:
    async with opening() as opened:
        yield opened


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid4()}"


def asked(number: int, prompt: str = "What is the capital of France?", **more: Any) -> Entry:
    """The answer to a question that began just now."""
    question = Question(number.to_bytes(16, "big"), PARTITION, prompt)
    return an_entry(**{"question": question, "seconds": 0.0, **more})


async def kept(cache: Cache, tenant: str, *entries: Entry, vector: bytes | None = NORTH) -> None:
    """Keep them, one after the other."""
    for entry in entries:
        await cache.keep(tenant, entry, LONG_S, vector)
        await cache.settled()


async def found(cache: Cache, tenant: str, *numbers: int) -> list[int]:
    """Which of these are found."""
    return [each for each in numbers if await cache.find(tenant, asked(each).question.fingerprint)]


async def near(cache: Cache, tenant: str, vector: bytes = NORTH, count: int = 9) -> list[int]:
    """What is near, by number."""
    neighbours = await cache.nearest(tenant, PARTITION, vector, count)
    return [int.from_bytes(each.fingerprint, "big") for each in neighbours]


class TestFinding:
    async def test_what_was_kept_is_found_whole(self, cache: Cache, tenant: str) -> None:
        """Every field comes back as it was, and its body byte for byte."""
        entry = asked(1, "Grüße, 世界 \x00", body=bytes(range(256)) * 64, seconds=0.0)

        await kept(cache, tenant, entry)

        assert await cache.find(tenant, entry.question.fingerprint) == entry

    async def test_only_by_its_own_fingerprint_and_tenant(self, cache: Cache, tenant: str) -> None:
        """Neither another question nor another tenant has it."""
        await kept(cache, tenant, asked(1))

        assert await found(cache, tenant, 1, 2) == [1]
        for other in (tenant[:-1], tenant + "x", tenant.upper(), f"{tenant},"):
            assert await found(cache, other, 1) == []

    async def test_it_ends_however_often_it_is_read(self, cache: Cache, tenant: str) -> None:
        """Reading does not lengthen its time: a wrong answer that is liked ends, too."""
        entry = asked(1)
        began = CLOCK.now()
        await cache.keep(tenant, entry, 0.3, NORTH)
        await cache.settled()

        async with asyncio.timeout(PATIENCE_S):
            while await cache.find(tenant, entry.question.fingerprint):
                await near(cache, tenant)
                await asyncio.sleep(0.005)

        assert CLOCK.now() - began > 0.29
        assert await near(cache, tenant) == []
        assert (await cache.totals(tenant)).answers == 0
        assert (await cache.entries(tenant, "", 9)).answers == ()

    async def test_the_last_that_was_kept_is_found(self, cache: Cache, tenant: str) -> None:
        """One question has one answer; it is counted once."""
        await kept(cache, tenant, asked(1, body=b"first"), asked(1, body=b"second"))

        entry = await cache.find(tenant, asked(1).question.fingerprint)

        assert entry is not None
        assert entry.body == b"second"
        assert (await cache.totals(tenant)).answers == 1

    async def test_what_is_too_large_is_not_kept(self, opening: Opening, tenant: str) -> None:
        """A body of as many bytes as are allowed is kept, of one more it is not."""
        async with opening(entry_size=1000) as cache:
            await kept(cache, tenant, asked(1, body=b"x" * 1000), asked(2, body=b"x" * 1001))

            assert await found(cache, tenant, 1, 2) == [1]


class TestMeaning:
    async def test_the_nearest_first(self, cache: Cache, tenant: str) -> None:
        """By cosine distance, and no more than asked for."""
        for number, vector in ((1, EAST), (2, NEARLY_NORTH), (3, NORTH)):
            await kept(cache, tenant, asked(number, f"prompt {number}"), vector=vector)

        first, second, third = await cache.nearest(tenant, PARTITION, NORTH, 9)

        assert [first.distance, second.distance, third.distance] == pytest.approx(
            [0.0, 0.00496, 1.0], abs=1e-4
        )
        assert (first.tenant, first.partition, first.prompt) == (tenant, PARTITION, "prompt 3")
        assert first.stored_at == asked(3).stored_at
        assert await near(cache, tenant, count=2) == [3, 2]

    async def test_only_within_tenant_and_partition(self, cache: Cache, tenant: str) -> None:
        """The same prompt of another tenant, or after another system prompt, is nowhere near."""
        await kept(cache, tenant, asked(1))

        assert await near(cache, tenant) == [1]
        assert await near(cache, tenant + "x") == []
        assert list(await cache.nearest(tenant, b"q" * 16, NORTH, 9)) == []

    async def test_without_a_vector_only_the_same(self, cache: Cache, tenant: str) -> None:
        """It is found by what was asked, and its prompt is not kept whole."""
        await kept(cache, tenant, asked(1), vector=None)

        entry = await cache.find(tenant, asked(1).question.fingerprint)

        assert await near(cache, tenant) == []
        assert entry is not None
        assert entry.question == Question(asked(1).question.fingerprint)

    async def test_kept_again_without_a_vector(self, cache: Cache, tenant: str) -> None:
        """An answer that may only be given to the same takes the place of one that meant more."""
        await kept(cache, tenant, asked(1))
        await kept(cache, tenant, asked(1), vector=None)

        assert await near(cache, tenant) == []

    @pytest.mark.parametrize(
        "unfit",
        [
            b"",
            b"123",
            NORTH[:-4],
            NORTH + b"\0\0\0\0",
            b"\0" * 16,
            b"\xff" * 16,
            NORTH[:2] + b"\x7f\x7f" + NORTH[4:],
        ],
        ids=["empty", "odd", "short", "long", "zero", "nan", "huge"],
    )
    async def test_vectors_that_are_none(self, cache: Cache, tenant: str, unfit: bytes) -> None:
        """Kept with one, an answer is found by the same alone; nothing is near to one."""
        await kept(cache, tenant, asked(1))
        await kept(cache, tenant, asked(2), vector=unfit)

        assert await near(cache, tenant) == [1]
        assert await near(cache, tenant, vector=unfit) == []
        assert await found(cache, tenant, 2) == [2]

    async def test_nothing_is_looked_for_everywhere(self, cache: Cache, tenant: str) -> None:
        """An empty tenant, partition or fingerprint is a mistake, not everything."""
        with pytest.raises(ValueError, match=r"."):
            await cache.nearest("", PARTITION, NORTH, 1)
        with pytest.raises(ValueError, match=r"."):
            await cache.nearest(tenant, b"", NORTH, 1)
        with pytest.raises(ValueError, match=r"."):
            await cache.find(tenant, b"")
        with pytest.raises(ValueError, match=r"."):
            await cache.find("", b"f" * 16)
        with pytest.raises(ValueError, match=r"."):
            await cache.keep("", asked(1), LONG_S, None)


class TestEvicting:
    async def test_a_whole_tenant(self, cache: Cache, tenant: str) -> None:
        """All of its answers are gone, from both ways to find them, and no other tenant's."""
        other = tenant + "x"
        await kept(cache, tenant, *map(asked, range(1, 6)))
        await kept(cache, other, asked(1))

        assert await cache.evict(tenant, Selection()) == 5

        assert await found(cache, tenant, *range(1, 6)) == []
        assert await near(cache, tenant) == []
        assert (await cache.totals(tenant)) == (await cache.totals("nobody"))
        assert await found(cache, other, 1) == [1]
        assert await near(cache, other) == [1]

    @pytest.mark.parametrize(
        ("selection", "gone"),
        [
            (Selection(fingerprint=asked(1).question.fingerprint), [1]),
            (Selection(request_id="req_2"), [2]),
            (Selection(model="gpt-4o-mini"), [3, 4]),
            (Selection(prompt_prefix="Summ"), [2, 4]),
            (Selection(prompt_prefix=""), [1, 2, 3, 4]),
            (Selection(model="gpt-4o-mini", prompt_prefix="Summ"), [4]),
            (Selection(fingerprint=asked(1).question.fingerprint, model="gpt-4o-mini"), []),
            (Selection(request_id="req_"), []),
        ],
    )
    async def test_some(
        self, cache: Cache, tenant: str, selection: Selection, gone: list[int]
    ) -> None:
        """What was named, whether it could be found by meaning or not."""
        await kept(cache, tenant, asked(1, "Tell", request_id="req_1"))
        await kept(cache, tenant, asked(2, "Summarise", request_id="req_2"))
        await kept(cache, tenant, asked(3, "Tell", model="gpt-4o-mini"), vector=None)
        await kept(cache, tenant, asked(4, "Summarise", model="gpt-4o-mini"), vector=None)
        before = await near(cache, tenant)

        assert await cache.evict(tenant, selection) == len(gone)

        assert await found(cache, tenant, 1, 2, 3, 4) == [
            each for each in (1, 2, 3, 4) if each not in gone
        ]
        assert await near(cache, tenant) == [each for each in before if each not in gone]

    async def test_what_was_asked_before_is_not_kept_after(self, cache: Cache, tenant: str) -> None:
        """An answer under way when others were evicted may be as bad; the next may be kept."""
        await kept(cache, tenant, asked(1))
        for number, selection in enumerate((Selection(), Selection(request_id="other")), 2):
            await cache.evict(tenant, selection)

            await kept(cache, tenant, asked(number, seconds=30.0))
            assert await found(cache, tenant, number) == []

            # One whose reply is late looks as old as that reply is; a later one does not.
            async with asyncio.timeout(PATIENCE_S):
                while await found(cache, tenant, number) != [number]:
                    await kept(cache, tenant, asked(number))

    async def test_nobody_has_anything(self, cache: Cache, tenant: str) -> None:
        """Evicting what is not there is none."""
        assert await cache.evict(tenant, Selection()) == 0
        assert await cache.evict(tenant, Selection(model="gpt-4o")) == 0
        assert await cache.evict(tenant, Selection(fingerprint=b"f" * 16)) == 0


class TestRoom:
    async def test_those_that_end_first_make_room(self, opening: Opening, tenant: str) -> None:
        """A tenant has so many answers; another's do not count."""
        async with opening(answers=3) as cache:
            for number, ttl_s in ((1, 500.0), (2, 300.0), (3, 400.0), (4, 600.0)):
                await cache.keep(tenant, asked(number), ttl_s, NORTH)
                await cache.keep(tenant + "x", asked(number), ttl_s, NORTH)
                await cache.settled()

            assert await found(cache, tenant, 1, 2, 3, 4) == [1, 3, 4]
            assert sorted(await near(cache, tenant)) == [1, 3, 4]
            assert (await cache.totals(tenant)).answers == 3

    async def test_so_do_they_for_a_large_one(self, opening: Opening, tenant: str) -> None:
        """A tenant's answers have so many bytes in all."""
        async with opening(size=20_000) as cache:
            noise = [bytes((at * each) % 251 for at in range(3500)) for each in range(1, 12)]
            for number, body in enumerate(noise):
                await kept(cache, tenant, asked(number, body=body), vector=None)

            totals = await cache.totals(tenant)
            left = await found(cache, tenant, *range(11))

            assert 10_000 < totals.size <= 20_000
            assert left == list(range(11 - totals.answers, 11))


class TestListing:
    async def test_page_by_page(self, cache: Cache, tenant: str) -> None:
        """Each once, those that end last first, with what tells them apart."""
        for number in range(7):
            entry = asked(number, f"prompt {number}", request_id=f"req_{number}")
            await cache.keep(tenant, entry, LONG_S + number, NORTH if number % 2 else None)
            await cache.settled()

        pages = [await cache.entries(tenant, "", 3)]
        while pages[-1].cursor:
            pages.append(await cache.entries(tenant, pages[-1].cursor, 3))
        answers = [answer for page in pages for answer in page.answers]

        assert [len(page.answers) for page in pages] == [3, 3, 1]
        assert [each.request_id for each in answers] == [f"req_{at}" for at in range(6, -1, -1)]
        newest = answers[0]
        assert (newest.prompt, newest.model, newest.by_meaning) == ("prompt 6", "gpt-4o", False)
        assert newest.expires_at == pytest.approx(CLOCK.unix() + LONG_S + 6, abs=PATIENCE_S)
        assert sum(each.size for each in answers) == (await cache.totals(tenant)).size

    async def test_long_prompts_are_cut(self, cache: Cache, tenant: str) -> None:
        """A list shows how a prompt begins, and answers can be selected by that."""
        await kept(cache, tenant, asked(1, "x" * 5000))

        (answer,) = (await cache.entries(tenant, "", 9)).answers

        assert answer.prompt == "x" * PROMPT_BEGINNING
        assert await cache.evict(tenant, Selection(prompt_prefix=answer.prompt)) == 1
        with pytest.raises(ValueError, match="prompt_prefix"):
            Selection(prompt_prefix=answer.prompt + "x")

    @pytest.mark.parametrize("cursor", ["-1", "+inf", "(1", "1 2", "x", "²"])
    async def test_a_cursor_of_no_page(self, cache: Cache, tenant: str, cursor: str) -> None:
        """What no page gave is a mistake."""
        with pytest.raises(ValueError, match="cursor"):
            await cache.entries(tenant, cursor, 3)
