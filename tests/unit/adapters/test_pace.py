from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from app.adapters.pace import Ended, behind_requests, gently, no_longer_behind


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


class Busy:
    """A processor that is so many seconds late to go on with who has rested."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.late_s = 0.0
        self.rests: list[float] = []
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds + self.late_s


def test_that_who_waits_itself_works_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for long, though; and once it does not wait it works as little as before."""
    busy = Busy(monkeypatch)
    worked = {0.0: 0.00011, 0.004: 0.00055, 1.0: 0.0011}  # of pieces of 0.11 ms, by what was waited
    lateness = [0.0] * 30 + [0.004] * 40 + [1.0] * 60 + [0.0] * 40
    ends: dict[float, float] = {}
    for late_s in gently(lateness):
        busy.late_s = late_s
        busy.now += 0.00011
        if busy.rests:
            ends[late_s] = busy.rests[-1] / 3
    assert ends == pytest.approx(worked)


@pytest.mark.usefixtures("has_policies")
def test_that_one_thread_stands_behind_until_somebody_waits_for_it() -> None:
    """And no other: the event loop's is the one that it stands behind."""
    before = os.sched_getscheduler(0)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(behind_requests).result()
        assert thread.submit(os.sched_getscheduler, 0).result() == os.SCHED_BATCH
        no_longer_behind(thread.submit(threading.get_native_id).result())
        assert thread.submit(os.sched_getscheduler, 0).result() == os.SCHED_OTHER
    assert os.sched_getscheduler(0) == before


@pytest.mark.usefixtures("has_policies")
def test_that_what_somebody_chose_for_a_process_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real-time priority, or what is idle: a thread that left it would be before or behind all."""
    chosen: list[object] = []
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_FIFO)
    monkeypatch.setattr(os, "sched_setscheduler", lambda *given: chosen.append(given))
    behind_requests()
    no_longer_behind(1)
    assert not chosen


@pytest.mark.usefixtures("has_policies")
def test_that_a_kernel_without_policies_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads then run as they did."""

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    behind_requests()


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
