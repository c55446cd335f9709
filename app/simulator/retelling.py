"""Streams a stored response: once more, or while it is made in the background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.simulator.call import Call
from app.simulator.envelope import Frame
from app.simulator.generation import breaks_of
from app.simulator.reply import Reply
from app.simulator.response_bodies import response_frames
from app.simulator.responses_store import StoredResponse


async def retell(call: Call, reply: Reply, stored: StoredResponse, *, after: int = -1) -> None:
    """Send its events with numbers above `after`, each as soon as it has happened.

    One that was cancelled just ends: no event that would say so is on record.

    Raises:
        ClientGone: the client left.
        Severed: a fault broke the connection.
    """
    call.row.status, call.row.stream = 200, True
    await reply.open(call.headers())
    frames = list(response_frames(stored.response))
    told = 0
    for number, (frame, due) in enumerate(zip(frames, _dues(stored, frames), strict=True)):
        if told in breaks_of(call) and (told or frame.tokens):
            await reply.break_off()
        told += frame.tokens
        if number <= after:
            continue
        await call.client.sleep_until(due)
        if stored.cancelled_at is not None and stored.cancelled_at <= due:
            break
        if frame.last:
            await reply.finish(frame.data)
            return
        await reply.write(frame.data)
    await reply.finish(b"")


def _dues(stored: StoredResponse, frames: Sequence[Frame]) -> Iterator[float]:
    """When each happens, on the loop's clock: tokens evenly, and the last once all is made."""
    tokens = sum(frame.tokens for frame in frames)
    step = (stored.ready_at - stored.began_at) / max(1, tokens)
    due, told = 0.0, 0
    for frame in frames:
        if frame.tokens:
            due = stored.began_at + step * told
            told += frame.tokens
        yield stored.ready_at if frame.last else due
