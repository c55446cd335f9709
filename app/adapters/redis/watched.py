"""Which ways to Redis are open, and whether they answer: for whoever watches all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.adapters.redis.breaker import Breaker


class Breakers:
    """The breakers of a process by the name of their way; of a cluster each node has one."""

    def __init__(self, named: Callable[[str], str]) -> None:
        """`named` puts ways together: what it says of a name is what is told."""
        self._named = named
        self._open: list[tuple[str, Breaker]] = []
        self._failed: Counter[str] = Counter()  # of those that are no more

    @contextmanager
    def watching(self, name: str, breaker: Breaker) -> Iterator[None]:
        """Within the scope this one is told of, too; its failures are counted for good."""
        entry = (self._named(name), breaker)
        self._open.append(entry)
        try:
            yield
        finally:
            self._open.remove(entry)
            self._failed[entry[0]] += breaker.failures_total

    def answering(self) -> dict[str, bool]:
        """By name, whether all of its ways answer as far as is known."""
        found: dict[str, bool] = {}
        for name, breaker in self._open:
            found[name] = found.get(name, True) and not breaker.is_lost
        return found

    def failures(self) -> dict[str, int]:
        """By name, how many calls failed."""
        found = Counter(self._failed)
        for name, breaker in self._open:
            found[name] += breaker.failures_total
        return dict(found)
