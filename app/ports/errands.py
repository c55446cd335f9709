"""Requests of the gateway's own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from app.domain.call.errand import Answered, Errand


class Errands(Protocol):
    """Whoever runs requests of the gateway's own."""

    async def run(self, errand: Errand) -> Answered:
        """The whole answer; reserved, routed and settled like any request, by its tenant's rules.

        Raises SpillgateError: RequestError where a deployment refused the request itself. May be
        cancelled at any time.
        """
        ...


class Aside(Protocol):
    """Work that nobody waits for."""

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Have it done in the background; False where too much is under way, or all is ending."""
        ...
