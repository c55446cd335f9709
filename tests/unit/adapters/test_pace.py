from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from app.adapters.pace import Ended, behind_requests, gently

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="has no such policy")


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


def test_that_who_waits_itself_works_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for long, though; and once it does not wait it works as little as before."""
    rests: list[float] = []
    late_s = 0.004

    def rest(seconds: float) -> None:
        rests.append(seconds)
        until = time.perf_counter() + seconds + late_s
        while time.perf_counter() < until:
            pass

    monkeypatch.setattr(time, "sleep", rest)
    for item in gently(range(60)):
        work(item, 0.00011)
    assert 6 <= len(rests) <= 20  # every fifth, after 0.5 ms; on a crowded machine fewer
    late_s = 1.0
    rests.clear()
    monkeypatch.setattr(time, "perf_counter", lambda: len(rests) * late_s)
    monkeypatch.setattr(time, "sleep", rests.append)
    for item in gently(range(60)):
        work(item, 0.00011)
    assert max(rests) < 0.0045  # three times the millisecond, and what followed it


@only_linux
def test_that_one_thread_stands_behind_and_no_other() -> None:
    """The event loop's is the one that others stand behind."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(behind_requests).result()
        assert thread.submit(os.sched_getscheduler, 0).result() == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@only_linux
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
