"""Every panel of every dashboard on a real Prometheus under mixed load; and what it looks like."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import pytest
import pytest_asyncio

from tests.grafana.boards import DASHBOARDS, ROOT, board, panels
from tests.grafana.load import Callers
from tests.grafana.pictures.answers import Answer, Span, answers
from tests.grafana.pictures.page import as_png, draw_page
from tests.grafana.scene import SCRAPE_S, Scene, scene

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

LOAD_S: Final = 200.0
PICTURES: Final = ROOT / "docs" / "pictures"
MOST_BYTES: Final = 300_000
#: Queries that rightly have nothing to say after minutes on one machine, and why.
EMPTY: Final = {
    "spillgate-tenants: Far off its own history A": "a first week has no history",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What every dashboard had to show, by its name and the panel's id."""

    answers: dict[str, dict[int, list[Answer]]]
    span: Span


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """All queries of all dashboards, after the load."""
    async with scene(redis_url, tmp_path_factory.mktemp("scene")) as running:
        span = await _loaded(running)
        found = {
            path.stem: {
                panel["id"]: await answers(running.prometheus, panel, span)
                for panel in panels(board(path))
            }
            for path in DASHBOARDS
        }
    return Shown(found, span)


async def _loaded(running: Scene) -> Span:
    began = time.time()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        callers = Callers(running, http)
        await callers.run(LOAD_S)
    assert len(callers.statuses) > 3, "the load was to be mixed"
    step = float(SCRAPE_S)
    return Span(began // step * step, (began + LOAD_S) // step * step, step)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
@pytest.mark.asyncio(loop_scope="module")
async def test_every_query_has_an_answer(shown: Shown, path: Path) -> None:
    """An empty panel is one that nobody can rely on; those that may be are listed, with why."""
    found = shown.answers[path.stem]
    silent = {
        f"{path.stem}: {panel['title']} {answer.target['refId']}"
        for panel in panels(board(path))
        for answer in found[panel["id"]]
        if not answer.series
    }
    expected = {name for name in EMPTY if name.startswith(f"{path.stem}:")}
    assert silent == expected


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
@pytest.mark.asyncio(loop_scope="module")
async def test_pictures_for_the_documents(shown: Shown, path: Path) -> None:
    """Drawn as a person sees them, into `docs/pictures`."""
    svg = draw_page(board(path), shown.answers[path.stem], shown.span)
    png = as_png(svg)
    assert len(png) < MOST_BYTES
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{path.stem}.png").write_bytes(png)
