"""Stops asking a store that does not answer, and finds out when it is back."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from app.ports import Clock

FAILURES_TO_OPEN: Final = 5
FIRST_PAUSE_S: Final = 1.0
#: A store that is back is used again within this time; a probe costs nobody anything.
LONGEST_PAUSE_S: Final = 2.0
#: A store that nobody asks stays as it was found: so long after a pause it is not told as lost.
KNOWN_FOR_S: Final = 10.0


class State(StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"  # all of them
    OPEN = "open"  # none
    HALF_OPEN = "half_open"  # one, to find out


_CLOSED: Final = State.CLOSED


class Breaker:
    """Opens after five failures in a row: for a second at first, then for two each time.

    After a pause one call is let through; its success closes the breaker, its failure starts the
    next pause. No clock but the given one, no loop, no I/O.
    """

    def __init__(self, clock: Clock, on_change: Callable[[bool], None] | None = None) -> None:
        """`on_change` is told True when the store is lost and False when it is back, once each."""
        self._clock = clock
        self._on_change = on_change or (lambda _lost: None)
        self._in_a_row = 0
        self._pauses = 0
        self._until = 0.0
        self.state = State.CLOSED
        self.failures_total = 0

    @property
    def is_lost(self) -> bool:
        """Whether the store is known not to answer: nobody has asked for a while says nothing."""
        if self.state is State.OPEN:
            return self._clock.now() < self._until + KNOWN_FOR_S
        return self.state is State.HALF_OPEN

    def admits(self) -> bool:
        """Whether a call may be made now; if so, one of the three methods below must follow."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.HALF_OPEN or self._clock.now() < self._until:
            return False
        self.state = State.HALF_OPEN
        return True

    def succeeded(self) -> None:
        """The store answered."""
        self._in_a_row = 0
        if self.state is not _CLOSED:
            self.state = _CLOSED
            self._pauses = 0
            self._on_change(False)  # noqa: FBT003  # the parameter is the message

    def failed(self) -> None:
        """The store did not answer."""
        self.failures_total += 1
        self._in_a_row += 1
        if self.state is State.HALF_OPEN:
            self._pause()
        elif self.state is State.CLOSED and self._in_a_row >= FAILURES_TO_OPEN:
            self._pause()
            self._on_change(True)  # noqa: FBT003  # the parameter is the message

    def abandoned(self) -> None:
        """The call was given up by its caller: it says nothing about the store."""
        if self.state is State.HALF_OPEN:
            self.state = State.OPEN

    def hurry(self) -> None:
        """What kept the store from answering is gone: the next call is let through at once."""
        self._until = self._clock.now()
        self._pauses = 0

    def _pause(self) -> None:
        self.state = State.OPEN
        self._until = self._clock.now() + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**self._pauses)
        self._pauses += 1
