"""A client may leave at any moment: nothing stays open, and one receipt says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.domain.ledger.completion import Outcome
from app.errors import ClientGone, ShuttingDown, SpillgateError, UpstreamUnreachable
from tests.fakes.call import FakeCall
from tests.fakes.house import House
from tests.fakes.reply import RecordingReply
from tests.fakes.stepping import Stepping
from tests.streams.recordings import recording

CHAT = {"model": "gpt-4o"}
STREAM = {**CHAT, "stream": True}


class Performance:
    """One story, played by a gateway whose request is cancelled at given points."""

    def __init__(self, prepare: Callable[[House], FakeCall]) -> None:
        self.house = House()
        self.call = prepare(self.house)
        self.reply = RecordingReply()
        self.concluded_before = False

    async def play(
        self,
        cancelled_at: Callable[[int], bool] = lambda _: False,
        reason: ClientGone | ShuttingDown | None = None,
    ) -> int:
        """How many points there were."""

        def pause(point: int) -> None:
            task = asyncio.current_task()
            if task is not None and cancelled_at(point):
                if self.call.interruption is None:
                    self.concluded_before = self.house.has_concluded
                self.call.interrupt(task, reason)

        handled = Stepping(self.house.gateway.handle(self.call, self.reply), pause)
        with contextlib.suppress(SpillgateError, asyncio.CancelledError):
            await asyncio.create_task(_wait_for(handled))
        return handled.points

    def holds_nothing(self) -> None:
        """What must be true, whenever it ended."""
        assert self.house.upstream.still_open == []
        assert self.house.receipt.request_id == self.call.request_id
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def _wait_for(awaited: Awaitable[Any]) -> None:
    await awaited


def a_whole_answer(house: House) -> FakeCall:
    house.upstream("ptu").completes()
    return FakeCall(fields=CHAT)


def a_stream(house: House) -> FakeCall:
    house.upstream("ptu").streams("Hel", "lo")
    return FakeCall(fields=STREAM)


def a_spilled_stream(house: House) -> FakeCall:
    house.upstream("ptu").answers(429, retry_after_ms=800)
    house.upstream("paygo").streams("Hel", "lo")
    return FakeCall(fields=STREAM)


def a_response_throttled_in_its_stream(house: House) -> FakeCall:
    house.upstream("ptu").plays(recording("throttled_azure").data)
    house.upstream("paygo").streams("Hel", "lo")
    return FakeCall("/v1/responses", STREAM)


def a_stream_with_silences(house: House) -> FakeCall:
    house.upstream("ptu").streams("Hel", "lo").pauses(40.0, before=3)
    return FakeCall(fields=STREAM)


def a_stream_that_breaks(house: House) -> FakeCall:
    house.upstream("ptu").streams("Hel", "lo").cuts_after(3)
    return FakeCall(fields=STREAM)


def a_large_body(house: House) -> FakeCall:
    parts = [b"x" * 100_000] * 15
    house.upstream("ptu").plays(*parts, headers={"content-type": "application/json"})
    return FakeCall(fields=CHAT)


def a_stored_response(house: House) -> FakeCall:
    house.owners.claims["acme", "resp_7"] = "paygo"
    house.upstream("paygo").completes()
    return FakeCall("/v1/responses/resp_7", method="GET")


def a_list_of_models(house: House) -> FakeCall:
    return FakeCall("/v1/models", method="GET")


def failing_upstreams(house: House) -> FakeCall:
    house.upstream("ptu").answers(500, body=b"")
    house.upstream("paygo").fails(UpstreamUnreachable)
    return FakeCall(fields=CHAT)


def no_capacity(house: House) -> FakeCall:
    house.upstream("ptu").answers(429, retry_after_ms=800)
    house.upstream("paygo").answers(429, retry_after_ms=900)
    return FakeCall(fields=CHAT)


STORIES = (
    a_whole_answer,
    a_stream,
    a_spilled_stream,
    a_response_throttled_in_its_stream,
    a_stream_with_silences,
    a_stream_that_breaks,
    a_large_body,
    a_stored_response,
    a_list_of_models,
    failing_upstreams,
    no_capacity,
)


@pytest.mark.parametrize("prepare", STORIES)
async def test_without_a_cancellation_nothing_is_held(prepare: Callable[[House], FakeCall]) -> None:
    """What the sweeps below are compared with; each story has points to be cancelled at."""
    performance = Performance(prepare)
    assert await performance.play() >= 3
    performance.holds_nothing()
    assert performance.house.receipt.outcome is not Outcome.INTERNAL_ERROR


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [(ClientGone(), Outcome.CLIENT_DISCONNECTED), (ShuttingDown("Bye."), Outcome.SHUT_DOWN)],
    ids=["client", "server"],
)
@pytest.mark.parametrize("prepare", STORIES)
async def test_a_request_may_be_cancelled_at_every_point(
    prepare: Callable[[House], FakeCall], reason: ClientGone | ShuttingDown, outcome: Outcome
) -> None:
    """Wherever it waits: upstreams are let go, and one receipt has the reason.

    A request that had ended before, and was only being settled, keeps its own outcome.
    """
    untouched = Performance(prepare)
    points = await untouched.play()
    for chosen in range(1, points + 1):
        performance = Performance(prepare)
        await performance.play(chosen.__eq__, reason)
        performance.holds_nothing()
        own = untouched.house.receipt.outcome
        expected = own if performance.concluded_before else outcome
        assert performance.house.receipt.outcome is expected, f"cancelled at point {chosen}"


@pytest.mark.parametrize("prepare", STORIES)
async def test_it_may_be_cancelled_again_while_it_ends(
    prepare: Callable[[House], FakeCall],
) -> None:
    """A second and a third cancellation, one at every later point, change nothing."""
    points = await Performance(prepare).play()
    for chosen in range(1, points + 1):
        performance = Performance(prepare)
        await performance.play(chosen.__le__, ClientGone())
        performance.holds_nothing()


async def test_what_was_relayed_by_then_is_in_the_receipt() -> None:
    """At every point the receipt has the bytes that the client was sent, no more and no less."""
    points = await Performance(a_stream).play()
    relayed = set()
    for chosen in range(1, points + 1):
        performance = Performance(a_stream)
        await performance.play(chosen.__eq__)
        receipt = performance.house.receipt
        assert receipt.bytes_relayed == len(performance.reply.body)
        assert receipt.status == performance.reply.status
        relayed.add(receipt.bytes_relayed)
    assert len(relayed) > 3
