"""Scrapes share pages, and leave time for requests."""

from __future__ import annotations

import asyncio

import pytest

from app.api.admin.paced import REST, Paced

OPENMETRICS = "application/openmetrics-text"


class Pages:
    """Counts pages; each takes `takes_s`, and ends when `go` is set."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.go = asyncio.Event()
        self.made: list[tuple[float, float]] = []
        self.under_way = 0

    async def render(self, accept: str) -> tuple[str, bytes]:
        """A page with its number."""
        loop = asyncio.get_running_loop()
        assert self.under_way == 0, "one at a time"
        self.under_way += 1
        began = loop.time()
        await self.go.wait()
        await asyncio.sleep(self.takes_s)
        self.under_way -= 1
        self.made.append((began, loop.time()))
        return accept, b"%d" % len(self.made)


async def started(pages: Pages) -> None:
    """Until a page is being made."""
    async with asyncio.timeout(60):
        while not pages.under_way:
            await asyncio.sleep(0)


async def test_scrapes_that_come_together_share_a_page() -> None:
    """Those that come while one is made wait for the next: theirs is not older than they are."""
    pages = Pages()
    paced = Paced(pages.render)
    first = asyncio.create_task(paced.page(""))
    await started(pages)
    others = [asyncio.create_task(paced.page("")) for _ in range(10)]
    await asyncio.sleep(0)
    pages.go.set()
    assert await first == ("", b"1")
    assert await asyncio.gather(*others) == [("", b"2")] * 10


async def test_each_form_has_its_page() -> None:
    """One after the other."""
    pages = Pages()
    pages.go.set()
    paced = Paced(pages.render)
    found = await asyncio.gather(paced.page(""), paced.page(OPENMETRICS))
    assert {form for form, _ in found} == {"", OPENMETRICS}


async def test_pages_leave_time_for_requests() -> None:
    """After a page there is a rest, which is longer the longer it took."""
    pages = Pages(takes_s=0.02)
    pages.go.set()
    paced = Paced(pages.render)
    for _ in range(3):
        await paced.page("")
    rests = [
        (later[0] - earlier[1]) / (earlier[1] - earlier[0])
        for earlier, later in zip(pages.made, pages.made[1:], strict=False)
    ]
    assert min(rests) > REST * 0.9


async def test_a_scraper_that_goes_takes_the_page_from_nobody() -> None:
    """The others still get it."""
    pages = Pages()
    paced = Paced(pages.render)
    gone, stays = (asyncio.create_task(paced.page("")) for _ in range(2))
    await started(pages)
    gone.cancel()
    pages.go.set()
    assert await stays == ("", b"1")


async def test_a_page_that_fails_is_tried_anew() -> None:
    """By the next scrape."""
    fails = [True]

    async def render(_: str) -> tuple[str, bytes]:
        if fails.pop():
            message = "no page"
            raise ValueError(message)
        return "", b"page"

    paced = Paced(render)
    with pytest.raises(ValueError, match="no page"):
        await paced.page("")
    fails.append(False)
    assert await paced.page("") == ("", b"page")
