"""Metrics of several workers, told as those of one.

Each worker answers its page on a Unix socket. Whoever has all sockets asks them when it is asked
itself, and adds up: nothing is shared, written to files, or sent while nobody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.adapters.metrics.exposition import OPENMETRICS, TEXT, wants_openmetrics
from app.adapters.metrics.merging import EOF, as_text, counted, merged
from app.adapters.unix_answers import LIMIT_S, answer_of, answering


@asynccontextmanager
async def telling(path: Path, page: Callable[[], Awaitable[bytes]]) -> AsyncIterator[None]:
    """Answer `page`, OpenMetrics, to whoever connects, for as long as the scope is open.

    Its last words are left beside the socket: what was counted since anybody asked. Whoever may
    enter the socket's directory may read it: that is to be the owner alone.
    """
    async with answering(path, page):
        try:
            yield
        finally:
            await asyncio.to_thread(_leave, path, await page())


def _leave(path: Path, page: bytes) -> None:
    """Whole or not at all."""
    written = path.with_suffix(".part")
    written.write_bytes(page)
    written.replace(_last_words(path))


def _last_words(path: Path) -> Path:
    return path.with_suffix(".last")


@dataclass(slots=True)
class _Worker:
    path: Path
    last: bytes = EOF


class Snapshots:
    """All workers that tell; `page` is what `/metrics` answers with."""

    def __init__(
        self, limit_s: float = LIMIT_S, own: Callable[[], Awaitable[bytes]] | None = None
    ) -> None:
        """One that takes longer is told by what it counted last; `own` is the asker's page."""
        self._limit_s = limit_s
        self._own = own
        #: How often one did not tell in time.
        self.silent_total = 0
        self._workers: dict[str, _Worker] = {}
        self._gone = EOF

    def joined(self, worker: str, path: Path) -> None:
        """A worker tells on this socket from now on; one of the same name before it is gone."""
        self._let_go(worker)
        self._workers[worker] = _Worker(path)

    def exited(self, worker: str) -> None:
        """Its process has ended: what it had counted is kept for good.

        That is what it left, or told last where it was killed. Not to be said of one that is only
        silent, which would be counted twice when it is back.
        """
        gone = self._let_go(worker)
        if gone is not None:
            gone.path.unlink(missing_ok=True)  # who was killed left it

    def _let_go(self, worker: str) -> _Worker | None:
        gone = self._workers.pop(worker, None)
        if gone is None:
            return None
        words = _last_words(gone.path)
        with suppress(FileNotFoundError):
            gone.last = words.read_bytes()
            words.unlink()
        self._gone = merged([self._gone, counted(gone.last)])
        return gone

    async def page(self, accept: str) -> tuple[str, bytes]:
        """The content type and the page of all, by the `Accept` header."""
        pages = await self._pages()
        if wants_openmetrics(accept):
            return OPENMETRICS, await asyncio.to_thread(merged, pages)
        return TEXT, await asyncio.to_thread(lambda: as_text(merged(pages)))

    async def look(self) -> None:
        """Note what each has counted: that is what is left of one that is killed."""
        await self._ask_all()

    async def _pages(self) -> list[bytes]:
        own = [await self._own()] if self._own is not None else []
        return [*own, *await self._ask_all(), self._gone]

    async def _ask_all(self) -> list[bytes]:
        asked = [*self._workers.values()]
        told = await asyncio.gather(*(self._ask(each.path) for each in asked))
        for each, page in zip(asked, told, strict=True):
            each.last = page or each.last
        there = {id(each) for each in self._workers.values()}  # some may have gone meanwhile
        present = [pair for pair in zip(asked, told, strict=True) if id(pair[0]) in there]
        self.silent_total += sum(page is None for _, page in present)
        return [page or counted(each.last) for each, page in present]

    async def _ask(self, path: Path) -> bytes | None:
        """Its page; None where it does not tell a whole one in time."""
        page = await answer_of(path, self._limit_s)
        return page if page is not None and page.endswith(EOF) else None
