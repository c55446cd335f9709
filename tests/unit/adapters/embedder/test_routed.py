from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import orjson
import pytest
from structlog.testing import capture_logs

from app.adapters.embedder.routed import MOST_ASKED, EmbeddingModel, RoutedEmbedder
from app.adapters.embedder.trouble import Trouble
from app.errors import (
    BudgetExhausted,
    EmbedderUnavailable,
    NoCapacity,
    QuotaExceeded,
    QuotaUnavailable,
    SpillgateError,
    UnknownModel,
    UpstreamTimeout,
)
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import packed

MODEL = EmbeddingModel("embed", "text-embedding-3-small", 2)
VECTOR = orjson.dumps({"data": [{"embedding": [3, 4]}]})


class Deployment:
    """Answers as told; `asked` has every call."""

    def __init__(self) -> None:
        self.answers: deque[bytes | Exception] = deque()
        self.asked: list[tuple[str, str, str]] = []
        self.answering = asyncio.Event()
        self.answering.set()
        self.cleaning = asyncio.Event()
        self.cleaning.set()

    async def __call__(self, body: bytes, tenant: str) -> bytes:
        asked = orjson.loads(body)
        self.asked.append((asked["model"], asked["input"], tenant))
        try:
            await self.answering.wait()
        finally:
            await self.cleaning.wait()
        answer = self.answers.popleft() if self.answers else VECTOR
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def embedder(deployment: Deployment, clock: FakeClock) -> AsyncIterator[RoutedEmbedder]:
    async with RoutedEmbedder(deployment, MODEL, clock=clock, patience_s=20) as embedder:
        yield embedder


@pytest.fixture
async def hasty(deployment: Deployment, clock: FakeClock) -> AsyncIterator[RoutedEmbedder]:
    async with RoutedEmbedder(deployment, MODEL, clock=clock, patience_s=0.02) as embedder:
        yield embedder


async def refused(embedder: RoutedEmbedder, match: str) -> None:
    with pytest.raises(EmbedderUnavailable, match=match):
        await embedder.embed("text")


async def test_a_deployment_is_asked_in_the_name_of_a_tenant(
    embedder: RoutedEmbedder, deployment: Deployment
) -> None:
    """Where its text may be processed depends on whose it is."""
    assert await embedder.embed("some text", "acme") == packed((0.6, 0.8), 2)
    assert deployment.asked == [("embed", "some text", "acme")]
    assert embedder.embedded_total == 1


@pytest.mark.parametrize(
    "trouble", [UpstreamTimeout("slow"), NoCapacity("full"), KeyError("a bug"), b"no vector", b"{}"]
)
async def test_whatever_goes_wrong_is_unavailable(
    embedder: RoutedEmbedder, deployment: Deployment, trouble: bytes | Exception
) -> None:
    """The cache is passed by, the log says why, and the next call tries again."""
    deployment.answers.append(trouble)
    with capture_logs() as logs:
        await refused(embedder, "failed")
    assert [each["event"] for each in logs] == ["embedder_failed"]
    assert await embedder.embed("text")
    assert embedder.troubles_total == {Trouble.FAILED: 1}


async def test_one_that_fails_again_and_again_is_left_alone(
    embedder: RoutedEmbedder, deployment: Deployment, clock: FakeClock
) -> None:
    """After five failures it is not asked for a second; then one call finds out."""
    deployment.answers.extend([UpstreamTimeout("slow")] * 5)
    for _ in range(5):
        await refused(embedder, "The embedder failed.")
    await refused(embedder, "several times")
    assert len(deployment.asked) == 5
    clock.advance(1.1)
    assert await embedder.embed("text")
    assert await embedder.embed("text")


async def test_a_refusal_of_the_text_is_no_failure_of_the_deployment(
    embedder: RoutedEmbedder, deployment: Deployment
) -> None:
    """A pause would mend nothing, and punish other texts."""
    deployment.answers.extend([UnknownModel("no such model")] * 20)
    for _ in range(20):
        await refused(embedder, "The embedder failed.")
    assert await embedder.embed("text")


@pytest.mark.parametrize("error", [BudgetExhausted, QuotaExceeded, QuotaUnavailable])
async def test_a_tenant_that_may_not_pay_does_not_pause_the_others(
    embedder: RoutedEmbedder, deployment: Deployment, error: type[SpillgateError]
) -> None:
    """Its quota says nothing of the deployment."""
    deployment.answers.extend([error("no more")] * 20)
    for _ in range(20):
        await refused(embedder, "The embedder failed.")
    assert await embedder.embed("text", "another")


async def test_a_caller_who_leaves_says_nothing_of_the_deployment(
    embedder: RoutedEmbedder, deployment: Deployment, clock: FakeClock
) -> None:
    """Not even the one that was to find out whether it is back."""
    deployment.answers.extend([UpstreamTimeout("slow")] * 5)
    for _ in range(5):
        await refused(embedder, "failed")
    clock.advance(1.1)
    deployment.answering.clear()
    probe = asyncio.ensure_future(embedder.embed("text"))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    deployment.answering.set()
    assert await embedder.embed("text")


async def test_patience_ends_whatever_is_still_to_be_settled(
    hasty: RoutedEmbedder, deployment: Deployment
) -> None:
    """A call that is given up may take long to end; nobody waits for that."""
    deployment.answering.clear()
    deployment.cleaning.clear()
    async with asyncio.timeout(20):
        await refused(hasty, "too long")
    assert hasty.troubles_total == {Trouble.LATE: 1}
    deployment.cleaning.set()


async def test_calls_under_way_are_bounded(hasty: RoutedEmbedder, deployment: Deployment) -> None:
    """Those that were given up and have not ended count, too."""
    deployment.answering.clear()
    deployment.cleaning.clear()
    calls = [hasty.embed(str(i)) for i in range(MOST_ASKED)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(each) for each in outcomes} == {EmbedderUnavailable}
    await refused(hasty, "Too many")
    assert len(deployment.asked) == MOST_ASKED
    deployment.cleaning.set()


async def test_closing_gives_up_what_is_under_way(deployment: Deployment, clock: FakeClock) -> None:
    """Within a second, however long that takes to end."""
    deployment.answering.clear()
    deployment.cleaning.clear()
    async with RoutedEmbedder(deployment, MODEL, clock=clock, patience_s=20) as embedder:
        call = asyncio.ensure_future(embedder.embed("text"))
        await asyncio.sleep(0)
    await refused(embedder, "closed")
    deployment.cleaning.set()
    with pytest.raises(EmbedderUnavailable, match="failed"):
        await call


def test_vectors_are_known_by_the_base_model() -> None:
    """A key of `models:` may come to mean another; two models never share a name."""
    names = [
        EmbeddingModel("embed", base, 2).name
        for base in ("text-embedding-3-small", "BGE_M3", "bge-m3", "bge--m3")
    ]
    assert names[0] == "text-embedding-3-small"
    assert names[2] == "bge-m3"
    assert len(set(names)) == len(names)
