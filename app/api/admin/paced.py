"""Pages one at a time, and with rests between them: scrapes are not to slow requests.

Whoever reaches the admin listener may scrape. A page of five thousand series is a tenth of a second
of processor time, which every request waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

Render = Callable[[str], Awaitable[tuple[str, bytes]]]

#: What `Accept` says of the second of two forms.
_OTHER_FORM: Final = "application/openmetrics-text"
#: After a page, for so many times as long as it took, none is made: a fifth of the time at most.
REST: Final = 4.0
#: That many seconds at most; Prometheus waits ten for a page.
LONGEST_REST_S: Final = 2.0


class Paced:
    """Scrapes that wait for a page of one form get the same one; none is older than its scrape."""

    def __init__(self, render: Render) -> None:
        """`render` makes a page, by an `Accept` header."""
        self._render = render
        self._turn = asyncio.Lock()
        self._awaited: dict[bool, asyncio.Task[tuple[str, bytes]]] = {}
        self._not_before = 0.0

    async def page(self, accept: str) -> tuple[str, bytes]:
        """The content type and the page. A scraper that goes takes the page from nobody."""
        form = _OTHER_FORM in accept
        awaited = self._awaited.get(form)
        if awaited is None:
            awaited = asyncio.create_task(self._made(form, accept))
            self._awaited[form] = awaited
        return await asyncio.shield(awaited)

    async def _made(self, form: bool, accept: str) -> tuple[str, bytes]:  # noqa: FBT001  # a key
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            # Whoever asks from now on has to see what happens from now on.
            del self._awaited[form]
            began = loop.time()
            try:
                return await self._render(accept)
            finally:
                took = loop.time() - began
                self._not_before = loop.time() + min(REST * took, LONGEST_REST_S)
