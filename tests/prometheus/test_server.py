"""The real Prometheus that tests ask: it starts, scrapes, remembers, and is gone afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.fakes.listening import listening
from tests.tools.prometheus import promtool, real_prometheus, scraping

PAGE = """# TYPE cups counter
cups_total{kind="tea"} 3.0 # {trace_id="abc"} 1.0
# EOF
"""
PAST = """# TYPE cups counter
cups_total{kind="tea"} 1.0 1700000000
cups_total{kind="tea"} 2.0 1700000060
# EOF
"""


async def _tell(_request: web.Request) -> web.Response:
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return web.Response(text=PAGE, headers={"content-type": kind})


@asynccontextmanager
async def _exporter() -> AsyncIterator[str]:
    """Its host and port."""
    app = web.Application()
    app.router.add_get("/metrics", _tell)
    async with listening(app) as url:
        yield url.removeprefix("http://")


async def test_what_is_exposed_can_be_asked_for() -> None:
    """Values, targets, exemplars, and a history that was there before."""
    async with (
        _exporter() as exporter,
        real_prometheus(scraping(exporter), history=PAST) as server,
    ):
        await server.scraped()
        (now,) = await server.query("cups_total")
        assert (now.labels["job"], now.labels["kind"], now.value) == ("spillgate", "tea", 3.0)
        (then,) = await server.query("cups_total", at=1700000060)
        assert then.value == 2.0
        (course,) = await server.query_range(
            "cups_total", start=1700000000, end=1700000060, step_s=60
        )
        assert [value for _, value in course.points] == [1.0, 2.0]
        (told,) = await server.exemplars("cups_total", start=now.points[0][0] - 60, end=2e9)
        assert told["exemplars"][0]["labels"] == {"trace_id": "abc"}
        assert (await server.query("scalar(cups_total)"))[0].value == 3.0
        with pytest.raises(AssertionError, match="parse error"):
            await server.query("sum(")


def test_promtool_tells_what_is_wrong() -> None:
    """Its words and its exit status."""
    answer = promtool("check", "config", "nowhere.yml")
    assert answer.returncode == 1
    assert "nowhere.yml" in answer.stdout
