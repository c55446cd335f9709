"""However replies are cut up, and whoever leaves meanwhile: each caller gets his own, or none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import RedisError

from app.adapters.redis.multiplexed import (
    MOST_UNANSWERED,
    MOST_UNANSWERED_BYTES,
    Answer,
    Multiplexed,
)
from app.errors import StoreUnavailable


class Wire(asyncio.Transport):
    """Takes what is written, and nothing once it was aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        assert not self.aborted
        self.written.append(data)

    def abort(self) -> None:
        self.aborted = True


@dataclass
class Owner:
    """Notes what it is told, and cuts a line that ended, as an owner must."""

    troubles: int = 0
    ends: list[Exception | None] = field(default_factory=list)
    line: Multiplexed | None = None

    def replied(self, trouble: RedisError | None) -> None:
        self.troubles += trouble is not None

    def has_room(self) -> None:
        """Nothing waits for it."""

    def ended(self, error: Exception | None) -> None:
        self.ends.append(error)
        assert self.line is not None
        self.line.cut(error)


@dataclass(frozen=True)
class Case:
    """What a server says to each of some commands, cut anywhere, and what happens between.

    `steps` are (what, number): send so many more commands, hear so many more bytes, or have the
    caller of that number leave.
    """

    replies: list[tuple[bytes, object]]
    steps: list[tuple[str, int]]


def encoded(value: object) -> bytes:
    """As a server says it."""
    if value is None:
        return b"_\r\n"
    if isinstance(value, bool):
        return b"#t\r\n" if value else b"#f\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(encoded, value))
    assert isinstance(value, str)
    return f"-{value}\r\n".encode()


ERRORS = st.sampled_from(["ERR no", "OOM full", "READONLY replica", "LOADING", "NOSCRIPT none"])
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.binary(max_size=40))
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
PUSHED = st.sampled_from([b"", b"", b"", b">2\r\n+message\r\n$1\r\nx\r\n"])
REPLIES = st.lists(
    st.tuples(PUSHED, st.one_of(VALUES, ERRORS)).map(
        lambda each: (each[0] + encoded(each[1]), each[1])
    ),
    min_size=1,
    max_size=30,
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "hear", "leave"]), st.integers(0, 60)), max_size=60
)


class Story:
    """One line, and the callers on it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.owner = Owner()
        self.line = self.owner.line = Multiplexed(self.owner)
        self.wire = Wire()
        self.line.connection_made(self.wire)
        self.answers: list[Answer] = []
        self.heard = 0

    def said(self) -> bytes:
        """All that the server may have said by now."""
        return b"".join(reply for reply, _ in self.case.replies[: len(self.answers)])

    def send(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        count = min(count, len(self.case.replies) - len(self.answers))
        asked: list[Answer] = [loop.create_future() for _ in range(count)]
        if asked:
            self.line.send([b"x" * (MOST_UNANSWERED_BYTES // count)] * count, asked)
            assert self.line.room == 0 or count > 1
        self.answers += asked

    def hear(self, count: int) -> None:
        part = self.said()[self.heard : self.heard + count]
        self.heard += len(part)
        if part:
            self.line.data_received(part)

    def leave(self, number: int) -> None:
        if number < len(self.answers):
            self.answers[number].cancel()

    def play(self) -> None:
        for what, number in self.case.steps:
            getattr(self, what)(number)

    def whole(self) -> int:
        """How many replies were heard to their end."""
        ends = 0
        for count, (reply, _) in enumerate(self.case.replies):
            ends += len(reply)
            if ends > self.heard:
                return count
        return len(self.case.replies)


def check(answer: Answer, expected: object) -> None:
    """It is the caller's own, unless he left."""
    if answer.cancelled():
        return
    if isinstance(expected, str):
        error = answer.exception()
        assert isinstance(error, RedisError)
        assert expected.endswith(str(error))
    else:
        assert answer.result() == expected
        assert type(answer.result()) is type(expected)


@given(REPLIES, STEPS)
def test_each_caller_gets_his_own_reply(
    replies: list[tuple[bytes, object]], steps: list[tuple[str, int]]
) -> None:
    """Of any type, cut anywhere, while callers come and leave; in the end nobody is left."""

    async def told() -> None:
        story = Story(Case(replies, steps))
        story.play()
        whole = story.whole()
        assert story.line.unanswered == len(story.answers) - min(whole, len(story.answers))
        for answer, (_, expected) in zip(story.answers[:whole], replies, strict=False):
            check(answer, expected)
        assert not any(answer.done() and not answer.cancelled() for answer in story.answers[whole:])
        story.send(len(replies))
        story.hear(len(story.said()))
        for answer, (_, expected) in zip(story.answers, replies, strict=True):
            check(answer, expected)
        assert story.owner.ends == []
        assert story.line.room == MOST_UNANSWERED, "what is answered makes room again"

    asyncio.run(told())


@given(REPLIES, STEPS, st.sampled_from(["cut", "lost", "unasked", "garbage"]))
def test_a_line_that_ends_leaves_nobody_waiting(
    replies: list[tuple[bytes, object]], steps: list[tuple[str, int]], how: str
) -> None:
    """Whole replies are their callers'; the others are told, and what comes after is nobody's."""

    async def told() -> None:
        story = Story(Case(replies, steps))
        story.play()
        if how == "unasked":
            story.hear(len(story.said()))
        whole = min(story.whole(), len(story.answers))
        if how == "cut":
            story.line.cut(TimeoutError())
        elif how == "lost":
            story.line.connection_lost(None)
        elif how == "unasked":
            story.line.data_received(b":1\r\n")
        else:
            story.line.data_received(story.said()[story.heard :] + b"HTTP/1.1 400\r\n")
            whole = len(story.answers)
        story.line.data_received(b"".join(reply for reply, _ in replies))
        for answer, (_, expected) in zip(story.answers[:whole], replies, strict=False):
            check(answer, expected)
        for answer in story.answers[whole:]:
            assert answer.cancelled() or isinstance(answer.exception(), StoreUnavailable)
        assert story.line.unanswered == 0
        assert len(story.owner.ends) == (how != "cut")
        assert story.wire.aborted

    asyncio.run(told())
