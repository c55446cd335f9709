"""Long work in a thread, at a pace that leaves the processor to requests."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from threading import Event
from typing import Final, TypeVar

T = TypeVar("T")

#: One interpreter runs one thread at a time: for about so long a request waits for this one.
_WORK_S: Final = 0.0001
#: Rest by work: a quarter of a processor is used.
_REST: Final = 3.0


class Ended(Exception):
    """The process ends; what was not finished is done again."""


def gently(items: Iterable[T], ended: Event | None = None) -> Iterator[T]:
    """The items, resting between some of them. Raises Ended once that is set."""
    rest = ended.wait if ended else time.sleep
    began = time.perf_counter()
    for item in items:
        yield item
        spent = time.perf_counter() - began
        if spent >= _WORK_S:
            if rest(spent * _REST):
                raise Ended
            began = time.perf_counter()
