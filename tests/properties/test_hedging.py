"""Whatever two upstreams and their client do: one answer at most, and nothing is left behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.ledger.ledger_row import RowKind
from app.domain.routing.attempt import Verdict
from app.errors import SpillgateError, UpstreamUnreachable
from tests.fakes.hedged import Hedged

TWO: Final = ("paygo-a", "paygo-b")
OUTCOMES = st.sampled_from(["streams", "refuses", "fails", "breaks", "stalls"])
#: What happens, each with how many turns of the loop come after it.
EVENTS = st.permutations(["late", *TWO, "leaves"])
TURNS = st.lists(st.integers(0, 12), min_size=4, max_size=4)


def script(hedged: Hedged, name: str, outcome: str) -> None:
    """Each word of it names who sent it."""
    act, words = hedged.upstream(name), (f"from {name}", f"more from {name}")
    match outcome:
        case "streams":
            act.streams(*words)
        case "refuses":
            act.answers(429, retry_after_ms=500)
        case "fails":
            act.fails(UpstreamUnreachable)
        case "breaks":
            act.streams(*words).cuts_after(2)
        case _:
            act.streams(*words).stalls(after=1)


async def listen(hedged: Hedged, heard: list[bytes]) -> None:
    """A client that reads all there is; before it has a byte nobody else is at work any more."""
    async with hedged.asked() as answer:
        assert hedged.upstream.scripted.still_open in ([], [answer.rest])
        assert len(asyncio.all_tasks()) == len(("the story", "the client"))
        heard += answer.take_frames()
        while answer.rest is not None and (data := await answer.rest.read(1.0)):
            heard.append(data)


async def play(hedged: Hedged, events: list[str], turns: list[int]) -> list[bytes]:
    """What the client heard; the end of the story is that it left, if it was still there."""
    heard: list[bytes] = []
    work = asyncio.create_task(listen(hedged, heard))
    await asyncio.sleep(0)
    for event, count in zip(events, turns, strict=True):
        if event == "late":
            hedged.late()
        elif event == "leaves":
            work.cancel()
        else:
            hedged.upstream.let(event)
        for _ in range(count):
            await asyncio.sleep(0)
    with suppress(asyncio.CancelledError, SpillgateError, TimeoutError):
        await work
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return heard


@example(["late", "paygo-a", "paygo-b", "leaves"], [12, 0, 12, 0], ("streams", "streams"))
@example(["late", "paygo-a", "paygo-b", "leaves"], [0, 2, 4, 0], ("streams", "streams"))
@example(["late", "paygo-b", "paygo-a", "leaves"], [12, 12, 12, 12], ("stalls", "streams"))
@given(EVENTS, TURNS, st.tuples(OUTCOMES, OUTCOMES))
def test_one_answer_and_nothing_left(
    events: list[str], turns: list[int], outcomes: tuple[str, str]
) -> None:
    """No byte of a second upstream, no open connection, no task, no hold; one charge at most."""
    hedged = Hedged(TWO)
    for name, outcome in zip(TWO, outcomes, strict=True):
        script(hedged, name, outcome)
    heard = b"".join(asyncio.run(play(hedged, events, turns)))
    assert sum(f"from {name}".encode() in heard for name in TWO) <= 1
    hedged.nothing_is_left()
    verdicts = [verdict for _, verdict in hedged.attempts]
    assert verdicts.count(Verdict.ACCEPT) <= 1
    charged = [row for row in hedged.accounts.rows if row.kind is RowKind.SETTLED]
    lost = [name for name, verdict in hedged.attempts if verdict is Verdict.HEDGED]
    assert [row.deployment for row in charged] == lost
    assert len(hedged.accounts.rows) == len(hedged.accounts.asks) <= 1
    if heard:
        served = hedged.observation.served
        assert served is not None
        assert f"from {served.deployment}".encode() in heard
