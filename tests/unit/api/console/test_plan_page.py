"""The page of plans: a form, the plan under way, and what it found."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from app.domain.identity.directory import Role
from app.planner.sizing.job import PlanAsk, PlanJob, PlanState
from app.planner.sizing.plan import plan
from app.planner.sizing.told import as_json
from tests.fakes.admin import ADMIN_KEYS
from tests.fakes.changed import replace
from tests.fakes.console import Browser, ConsoleHouse
from tests.unit.planner.sizing.test_plan import question, steady

DAY = 86_400.0
TOLD = as_json(plan(question(0.5, 0.2), steady(42_000, days=1)))


async def test_a_plan_from_the_form_to_its_charts(house: ConsoleHouse, owner: Browser) -> None:
    """What is asked reaches the planner; progress is told; the same drawing as the command's."""
    form = {"model": "gpt-4o", "days": "30", "growth": "2", "cached": "30", "ptus": "40 35"}
    form |= {"without": "search, other", "kind": "", "usd_per_ptu_month": "199.5"}
    assert (await owner.post("/plan", form)).status_code == 303
    job = house.house.planner.current
    assert job is not None
    assert job.ask == PlanAsk(
        "gpt-4o",
        since=house.house.clock.unix() - 30 * DAY,
        ptus=(40, 35),
        usd_per_ptu_month=199.5,
        growth=2.0,
        cached=0.3,
        without=("search", "other"),
    )
    house.house.planner.current = replace(job, replayed=12)
    page = (await owner.get("/plan")).text
    assert "12 numbers of PTUs replayed" in page
    assert "The plan is being made." in page
    part = await owner.part("/plan")
    assert "12 numbers of PTUs" in part.text
    assert "hx-refresh" not in part.headers
    house.house.planner.current = replace(job, state=PlanState.DONE, ended_at=1.8e9, told=TOLD)
    assert (await owner.part("/plan")).headers["hx-refresh"] == "true"
    page = (await owner.get("/plan")).text
    drawn = page[page.index("<svg width") : page.rindex("</svg>") + 6]
    assert len([each for each in ET.fromstring(drawn) if each.tag.endswith("polyline")]) == 2  # noqa: S314  # our own
    assert 'value="search other"' in page
    assert 'value="30"' in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": ""}, "model"),
        ({"model": "gpt-4o", "growth": "lots"}, "growth"),
        ({"model": "gpt-4o", "cached": "100"}, "cached"),
        ({"model": "gpt-4o", "days": "some"}, "since"),
        ({"model": "gpt-4o", "ptus": "0"}, "ptus"),
    ],
)
async def test_a_refused_form_says_why(owner: Browser, fields: dict[str, str], said: str) -> None:
    """In the API's words."""
    answer = await owner.post("/plan", fields)
    assert answer.status_code == 400
    assert said in answer.text


async def test_a_viewer_cancels_its_own_plan_alone(house: ConsoleHouse, owner: Browser) -> None:
    """Of others it is told whose it is; sent by hand the form is refused."""
    async with house.browser(ADMIN_KEYS[Role.VIEWER]) as viewer:
        await owner.post("/plan", {"model": "gpt-4o"})
        page = (await viewer.get("/plan")).text
        assert "/plan/cancel" not in page
        assert "Begun by owner" in page
        assert (await viewer.post("/plan/cancel")).status_code == 403
        await owner.post("/plan/cancel")
        await viewer.post("/plan", {"model": "gpt-4o"})
        assert "/plan/cancel" in (await viewer.get("/plan")).text
        assert (await viewer.post("/plan/cancel")).status_code == 303


async def test_a_plan_is_cancelled_and_a_second_one_refused(
    house: ConsoleHouse, owner: Browser
) -> None:
    """One at a time."""
    await owner.post("/plan", {"model": "gpt-4o"})
    assert (await owner.post("/plan", {"model": "gpt-4o"})).status_code == 409
    await owner.post("/plan/cancel")
    page = (await owner.get("/plan")).text
    assert "The last plan was cancelled." in page


async def test_that_no_name_is_more_than_text(house: ConsoleHouse, owner: Browser) -> None:
    """A model, a tenant or a term that is called as an element is none."""
    evil = """x'"><xss-probe onprobe="1">"""
    term = {**TOLD["recommendations"][0], "term": evil}
    options = [{**each, "usd": {evil: 1.0}} for each in TOLD["options"]]
    told = {**TOLD, "recommendations": [term], "options": options}
    ask = PlanAsk(evil, evil, without=(evil,), kind=evil)
    for state in PlanState:
        found = told if state is PlanState.DONE else None
        house.house.planner.current = PlanJob(ask, 7.0, state, error=evil, told=found)
        page = (await owner.get("/plan")).text
        assert "xss-probe" in page
        assert "xss-probe" not in elements(page)


def elements(page: str) -> set[str]:
    """What a browser would make elements of."""
    found: set[str] = set()

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)

    Parser().feed(page)
    return found
