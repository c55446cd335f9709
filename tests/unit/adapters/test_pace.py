from __future__ import annotations

import time
from threading import Event

import pytest

from app.adapters.pace import Ended, gently


def work(_: int, seconds: float = 0.0005) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.mark.parametrize("ended", [None, Event()])
def test_that_most_of_the_time_is_rest(ended: Event | None) -> None:
    """A quarter of a processor is meant; on a crowded machine it is less."""
    began, used = time.perf_counter(), time.thread_time()
    for item in gently(range(200), ended):
        work(item)
    assert (time.thread_time() - used) / (time.perf_counter() - began) < 0.5


def test_that_no_request_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It rests as soon as a tenth of a millisecond is over."""
    rests: list[float] = []
    monkeypatch.setattr(time, "sleep", rests.append)
    for item in gently(range(20)):
        work(item, 0.00011)
    assert len(rests) == 20


def test_that_it_ends_when_told_to() -> None:
    """At the next rest; what was begun is done again."""
    ended, done = Event(), list[int]()

    def work_on() -> None:
        for item in gently(range(10**6), ended):
            work(item)
            done.append(item)
            if item == 20:
                ended.set()

    with pytest.raises(Ended):
        work_on()
    assert 20 <= len(done) < 1000


def test_that_nothing_is_left_out() -> None:
    """It only takes longer."""
    assert list(gently(range(5000), Event())) == list(range(5000))
