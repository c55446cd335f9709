"""Work in a thread that leaves the processor to requests: when it begins, and for how long."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from threading import Event
from typing import Final, TypeVar

T = TypeVar("T")

#: One interpreter runs one thread at a time: for about so long a request waits for this one.
_WORK_S: Final = 0.0001
#: The same of one that had to wait itself, by how long that was, and at the most.
_WORK_OF_WAIT: Final = 0.125
_MOST_WORK_S: Final = 0.001
#: Rest by work: a quarter of a processor is used.
_REST: Final = 3.0


class Ended(Exception):
    """The process ends; what was not finished is done again."""


def behind_requests() -> None:
    """Have the calling thread wait until the event loop pauses, or has had its share.

    A thread that wakes up takes the processor from the one that runs, but for those of this policy
    (sched(7), SCHED_BATCH; any user may choose it). Here it would mostly take it for nothing: the
    loop's thread has the interpreter. On a busy processor it waits for tens of milliseconds; so
    this is for work that nobody waits for.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox's kernel that has no policies
            if os.sched_getscheduler(0) == os.SCHED_OTHER:  # and not what somebody chose for all
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def no_longer_behind(thread_id: int) -> None:
    """Now somebody waits for this thread of ours; its id is the system's."""
    if sys.platform == "linux":
        with suppress(OSError):  # as above, or it has ended
            if os.sched_getscheduler(thread_id) == os.SCHED_BATCH:
                os.sched_setscheduler(thread_id, os.SCHED_OTHER, os.sched_param(0))


def gently(items: Iterable[T], ended: Event | None = None) -> Iterator[T]:
    """The items, resting between some of them. Raises Ended once that is set.

    Whoever had to wait for the processor, or for the interpreter, works for longer: requests wait
    for much else then, and by so little at a time nothing would ever be done.
    """
    rest = ended.wait if ended else time.sleep
    enough_s = _WORK_S
    began = time.perf_counter()
    for item in items:
        yield item
        rests = time.perf_counter()
        spent_s = rests - began
        if spent_s >= enough_s:
            if rest(spent_s * _REST):
                raise Ended
            began = time.perf_counter()
            waited_s = began - rests - spent_s * _REST
            enough_s = min(max(_WORK_S, waited_s * _WORK_OF_WAIT), _MOST_WORK_S)
