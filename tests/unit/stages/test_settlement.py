"""Every request ends in one receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from app.domain.completion import Outcome
from app.errors import (
    ClientGone,
    InvalidApiKey,
    NoCapacity,
    ShuttingDown,
    SpillgateError,
    UpstreamDisconnected,
    UpstreamFailed,
)
from app.observation import Observation
from app.stages.settlement import Settlement
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import RecordingLedger
from tests.fakes.reply import RecordingReply


class Scene:
    """A settlement scope around whatever a test does in it."""

    def __init__(self) -> None:
        self.call = FakeCall()
        self.clock = FakeClock()
        self.observation = Observation(self.call, self.clock)
        self.reply = RecordingReply()
        self.ledger = RecordingLedger()
        self.settlement = Settlement(self.ledger)

    async def play(self, ending: BaseException | None = None, *, status: int | None = None) -> None:
        async with self.settlement.settled(self.observation, self.reply):
            self.clock.advance(2.5)
            if status is not None:
                await self.reply.start(status, {})
            if ending is not None:
                raise ending

    async def linger(self) -> None:
        async with self.settlement.settled(self.observation, self.reply):
            await asyncio.Event().wait()


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def soon(happened: Callable[[], bool]) -> None:
    """Let others run until something happened."""
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0)


async def test_a_finished_request_is_settled(scene: Scene) -> None:
    """The receipt has the status that was sent and the time it took."""
    await scene.play(status=200)
    (receipt,) = scene.ledger.receipts
    assert receipt == scene.observation.receipt
    assert (receipt.outcome, receipt.status, receipt.error) == (Outcome.FINISHED, 200, None)
    assert (receipt.duration, receipt.started_at) == (2.5, 1_790_000_000.0)


@pytest.mark.parametrize(
    ("ending", "status", "outcome", "told", "code"),
    [
        (InvalidApiKey("m"), None, Outcome.REFUSED, 401, "invalid_api_key"),
        (NoCapacity("m"), None, Outcome.REFUSED, 429, "rate_limit_exceeded"),
        (UpstreamFailed("m"), None, Outcome.UPSTREAM_FAILED, 502, "upstream_error"),
        (UpstreamDisconnected("m"), 200, Outcome.UPSTREAM_ABORTED, 200, "upstream_disconnected"),
        (ClientGone(), None, Outcome.CLIENT_DISCONNECTED, None, None),
        (ClientGone(), 200, Outcome.CLIENT_DISCONNECTED, 200, None),
        (KeyError("bug"), None, Outcome.INTERNAL_ERROR, None, None),
        (KeyError("bug"), 200, Outcome.INTERNAL_ERROR, 200, None),
    ],
)
async def test_whatever_ends_a_request_is_settled_and_goes_on(
    scene: Scene,
    ending: Exception,
    status: int | None,
    outcome: Outcome,
    told: int | None,
    code: str | None,
) -> None:
    """The receipt says how it ended; whoever renders it still gets the failure."""
    with pytest.raises(type(ending)) as caught:
        await scene.play(ending, status=status)
    assert caught.value is ending
    (receipt,) = scene.ledger.receipts
    assert (receipt.outcome, receipt.status, receipt.error) == (outcome, told, code)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (ClientGone(), Outcome.CLIENT_DISCONNECTED),
        (ShuttingDown("m"), Outcome.SHUT_DOWN),
    ],
)
async def test_an_interruption_names_its_reason(
    scene: Scene, reason: ClientGone | ShuttingDown, outcome: Outcome
) -> None:
    """A cancellation alone would not say who left."""
    task = asyncio.create_task(scene.linger())
    await asyncio.sleep(0)
    scene.call.interrupt(task, reason)
    with pytest.raises(asyncio.CancelledError):
        await task
    (receipt,) = scene.ledger.receipts
    assert receipt.outcome is outcome
    assert receipt.error == (reason.code if isinstance(reason, SpillgateError) else None)


async def test_cancelling_does_not_stop_settling(scene: Scene) -> None:
    """However often it is cancelled, the receipt is kept first; then it gives way."""
    scene.ledger.ready.clear()
    task = asyncio.create_task(scene.linger())
    await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await soon(lambda: scene.ledger.begun == 1)
        await asyncio.sleep(0)
    assert not task.done()
    scene.ledger.ready.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(scene.ledger.receipts) == 1


async def test_a_cancellation_while_settling_is_not_lost(scene: Scene) -> None:
    """A request that was done is settled, and the cancellation still arrives."""
    scene.ledger.ready.clear()
    task = asyncio.create_task(scene.play(status=200))
    await soon(lambda: scene.ledger.begun == 1)
    task.cancel()
    await asyncio.sleep(0)
    scene.ledger.ready.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    (receipt,) = scene.ledger.receipts
    assert receipt.outcome is Outcome.FINISHED


async def test_settling_is_given_up_after_its_limit(scene: Scene) -> None:
    """A ledger that hangs costs a bounded time, and leaves no task behind."""
    scene.settlement = Settlement(scene.ledger, limit_s=0.01)
    scene.ledger.ready.clear()
    async with asyncio.timeout(5):
        await scene.play(status=200)
    await soon(lambda: asyncio.all_tasks() == {asyncio.current_task()})
    assert scene.ledger.receipts == []
    assert scene.observation.receipt.outcome is Outcome.FINISHED
