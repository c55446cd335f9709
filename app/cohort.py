"""Requests that come to the same line go on from it one after the other: cohort scheduling.

What one of them has just run is in the processor's caches for the next one, be it code or data,
where requests that are each served from end to end push it out for one another (Larus and Parkes,
Using Cohort Scheduling to Enhance Server Performance, USENIX 2002). It costs a request one turn of
the event loop, so it is for those alone that are waited for until they are whole: a stream's first
frame is not.
"""

from __future__ import annotations

import types
from collections.abc import Generator
from typing import Final

from app.domain.call.request import InferenceRequest

#: Who was alone will be again, mostly: so many go on without looking whether others come.
_UNASKED: Final = 7


class Cohort:
    """Requests that are served at once, by one event loop."""

    __slots__ = ("_here", "_unasked")

    def __init__(self) -> None:
        """Nobody has come."""
        self._here = self._unasked = 0

    @types.coroutine
    def gathered(self, request: InferenceRequest) -> Generator[None, None, None]:
        """Let those that are ready come as far, too; the loop goes on with who came first."""
        if request.stream:
            return
        if self._unasked:
            self._unasked -= 1
            return
        before = self._here
        self._here = before + 1
        try:
            yield
        finally:
            self._here -= 1
        if not before and not self._here:
            self._unasked = _UNASKED
