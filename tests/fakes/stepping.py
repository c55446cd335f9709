"""Every point at which something waits, numbered: there it can be cancelled or killed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any


class Stepping:
    """Awaits something and tells `pause` the number of each point at which it waits."""

    def __init__(self, awaited: Awaitable[Any], pause: Callable[[int], None]) -> None:
        self._awaited = awaited
        self._pause = pause
        self.points = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._awaited.__await__()
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = inner.send(None) if thrown is None else inner.throw(thrown)
            except StopIteration as finished:
                return finished.value
            self.points += 1
            self._pause(self.points)
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001  # handed on, as `await` would
                thrown = error
            else:
                thrown = None
