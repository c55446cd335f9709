"""What every embedder promises: models on this machine, deployments, and the tests' own."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import orjson
import pytest

from app.adapters.clock import SystemClock
from app.adapters.embedder import local
from app.adapters.embedder.remembering import RememberingEmbedder, TenantEmbedder
from app.adapters.embedder.routed import EmbeddingModel, RoutedEmbedder
from app.adapters.embedder.threaded import ThreadedEmbedder
from app.errors import EmbedderUnavailable
from app.ports import Embedder
from tests.fakes.embedder import (
    FakeEmbedder,
    FakeEncoder,
    distance,
    real_encoder,
    unpacked,
    vector_in,
)

#: Long enough for fifty texts on a crowded machine.
PATIENCE_S = 20.0
#: Vectors of one text that differ by rounding only.
ROUNDING = 1e-5

TENANT = "acme"


@dataclass(frozen=True, slots=True)
class Subject:
    """An embedder, and how to have it hang."""

    embedder: TenantEmbedder
    freeze: Callable[[], None]
    thaw: Callable[[], None]


#: Makes a subject with a patience, for as long as the scope is open.
Make = Callable[[AsyncExitStack, float], Awaitable[Subject]]


def threaded(name: str) -> Make:
    async def make(scope: AsyncExitStack, patience_s: float) -> Subject:
        freezable = FakeEncoder(of=real_encoder(name))
        scope.callback(freezable.thaw)
        embedder = ThreadedEmbedder(name, patience_s=patience_s, load_model=lambda _: freezable)
        await scope.enter_async_context(embedder)
        assert await embedder.loaded()
        return Subject(embedder, freezable.freeze, freezable.thaw)

    return make


async def routed(scope: AsyncExitStack, patience_s: float) -> Subject:
    thawed = asyncio.Event()
    thawed.set()

    async def ask(body: bytes, tenant: str) -> bytes:
        await thawed.wait()
        vector = vector_in({}, orjson.loads(body)["input"], 64)
        return orjson.dumps({"data": [{"embedding": base64.b64encode(vector).decode()}]})

    model = EmbeddingModel("embed", "text-embedding-3-small", 64)
    embedder = RoutedEmbedder(ask, model, clock=SystemClock(), patience_s=patience_s)
    await scope.enter_async_context(embedder)
    return Subject(embedder, thawed.clear, thawed.set)


async def remembering(scope: AsyncExitStack, patience_s: float) -> Subject:
    subject = await routed(scope, patience_s)
    return Subject(RememberingEmbedder(subject.embedder), subject.freeze, subject.thaw)


async def fake(_: AsyncExitStack, patience_s: float) -> Subject:
    embedder = FakeEmbedder(patience_s=patience_s)
    return Subject(embedder, embedder.freeze, embedder.thaw)


@pytest.fixture(params=[*local.MODELS, "routed", "remembering", "fake"])
def make(request: pytest.FixtureRequest) -> Make:
    others: dict[str, Make] = {"routed": routed, "remembering": remembering, "fake": fake}
    return others.get(request.param) or threaded(request.param)


@pytest.fixture
async def scope() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as scope:
        yield scope


@pytest.fixture
async def subject(make: Make, scope: AsyncExitStack) -> Subject:
    return await make(scope, PATIENCE_S)


@pytest.fixture
def embedder(subject: Subject) -> Embedder:
    return subject.embedder


TEXTS = [
    "How do I reset my password?",
    "",
    " \n\t ",
    "Wie ist das Wetter in Zürich? 🌦️",
    "如何重置我的密码",
    "\ud83d alone, \x00 and \uffff",
    "ﷺ" * 500,
]


@pytest.mark.parametrize("text", TEXTS)
async def test_any_text_has_a_vector_of_length_one(embedder: Embedder, text: str) -> None:
    """Of as many little-endian 32 bit numbers as announced, none of them NaN."""
    vector = await embedder.embed(text, TENANT)
    assert isinstance(vector, bytes)
    assert len(vector) == 4 * embedder.dimensions
    assert math.hypot(*unpacked(vector)) == pytest.approx(1, abs=1e-5)


async def test_the_same_text_has_the_same_vector(embedder: Embedder) -> None:
    """Alone, again, and among others."""
    alone, again = [await embedder.embed("the same text", TENANT) for _ in range(2)]
    texts = ["other one", "the same text", "a third"]
    among = await asyncio.gather(*(embedder.embed(text, TENANT) for text in texts))
    assert alone == again
    assert distance(alone, among[1]) < ROUNDING
    assert distance(alone, among[0]) > ROUNDING


async def test_a_very_long_text_is_cut(embedder: Embedder) -> None:
    """What comes after 50 kB, and takes as long, has no part in the vector."""
    head = "an unusually long letter " * 2000
    one, other = [
        await embedder.embed(head + tail * 5000, TENANT) for tail in ("yes, I do. ", "no. ")
    ]
    assert len(one) == 4 * embedder.dimensions
    assert one == other


async def test_fifty_at_once_are_not_mixed_up(embedder: Embedder) -> None:
    """Each gets its own text's vector."""
    texts = [f"{word} number {i}" for i in range(25) for word in ("house", "river")]
    together = await asyncio.gather(*(embedder.embed(text, TENANT) for text in texts))
    for i in (0, 1, 24, 49):
        assert distance(together[i], await embedder.embed(texts[i], TENANT)) < ROUNDING
    assert len(set(together)) == len(texts)


async def test_who_gives_up_does_not_harm_others(subject: Subject) -> None:
    """Half of the callers leave while the model hangs; it then serves those who stayed."""
    subject.freeze()
    calls = [asyncio.ensure_future(subject.embedder.embed(f"text {i}", TENANT)) for i in range(10)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    subject.thaw()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in outcomes[::2])
    assert all(isinstance(each, bytes) for each in outcomes[1::2])


async def test_one_that_hangs_is_unavailable_within_the_patience(
    make: Make, scope: AsyncExitStack
) -> None:
    """And works again afterwards."""
    subject = await make(scope, 0.2)
    subject.freeze()
    async with asyncio.timeout(30):
        for _ in range(3):
            with pytest.raises(EmbedderUnavailable):
                await subject.embedder.embed("anybody there?", TENANT)
    subject.thaw()
    async with asyncio.timeout(30):
        while True:
            try:
                await subject.embedder.embed("back?", TENANT)
                break
            except EmbedderUnavailable:
                await asyncio.sleep(0.05)


def test_names_can_be_part_of_an_index_name(embedder: Embedder) -> None:
    """Lower case letters, digits and hyphens."""
    assert embedder.name
    assert set(embedder.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
