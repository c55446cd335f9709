"""The page of statements: a month, its lines, and the table to take along."""

from __future__ import annotations

import csv
import io
import re

import pytest

from app.api.console.writing import NONE
from app.domain.billing.rules import BillingRules
from app.domain.billing.statement import IdleRule
from app.domain.identity.directory import Role
from tests.fakes.admin import ADMIN_KEYS
from tests.fakes.console import Browser, ConsoleHouse
from tests.unit.domain.billing.months import UNTIL, USD, paid, ptu, served

EVIL = """x'"><xss-probe onprobe="1">"""


@pytest.fixture
def house() -> ConsoleHouse:
    """November: one PTU at 720 dollars, a sixth of it used."""
    house = ConsoleHouse()
    house.house.clock.advance(UNTIL + 60 - house.house.clock.unix())
    house.house.billing = BillingRules((ptu(),), spilling=frozenset({"gpt-4o"}), idle=IdleRule.USE)
    house.house.ledger.recorded = [
        served("a", 7200, tags={"team": EVIL}),
        paid("b", 3 * USD, spill="held", tenant="other"),
    ]
    return house


def cells(page: str) -> str:
    """The text of a page, with one space between all its parts."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


async def test_a_month(owner: Browser) -> None:
    """Its lines, the PTUs, and how it adds up."""
    page = cells((await owner.get("/statements?month=2026-11")).text)
    assert "Statement of 2026-11" in page
    assert "other 1 8 0.00 3.00 0.00 0.00 0.00 3.00 0.00" in page
    assert "search 1 0 0.00 0.00 120.00 600.00 0.00 720.00 0.00" in page
    assert "All lines 2 8 0.00 3.00 120.00 600.00 0.00 723.00 0.00" in page
    assert "ptu 1 hourly $720.00 16.7 %" in page
    assert "are $723.00, with what is kept central" in page
    assert "The month is not over" in cells((await owner.get("/statements")).text)


async def test_other_questions(owner: Browser) -> None:
    """By tag, in a currency, with another rule; the link takes them along."""
    asked = "month=2026-11&by=tag:team&idle=central&currency=EUR&per_usd=0.5"
    answer = await owner.get(f"/statements?{asked}")
    page = cells(answer.text)
    assert "In EUR at 0.5 a dollar, UTC. Idle PTUs kept central." in page
    kept = f"Kept central {5 * 'no '}300.00 no 300.00 no"
    assert kept.replace("no", NONE) in page
    assert "<xss-probe" not in answer.text
    link = re.search(r'href="/console(/statements/csv[^"]+)"', answer.text)
    assert link is not None
    table = await owner.get(link[1].replace("&amp;", "&"))
    assert table.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(table.text)))
    assert [(line["tag:team"], line["owed"]) for line in lines] == [
        (EVIL, "60.00"),
        ("", "1.50"),
        ("", "300.00"),
    ]


async def test_that_a_tenant_admin_sees_its_own(house: ConsoleHouse) -> None:
    """Neither others' lines nor the PTUs, in the page and in the file."""
    async with house.browser(ADMIN_KEYS[Role.TENANT_ADMIN]) as browser:
        page = cells((await browser.get("/statements?month=2026-11")).text)
        assert "720.00" in page
        assert "other" not in page.replace("Other", "")
        assert "PTU deployments" not in page
        text = (await browser.get("/statements/csv?month=2026-11")).text
        assert "other" not in text.partition("\n")[2]
        assert (await browser.get("/statements?tenant=other")).status_code == 404


@pytest.mark.parametrize("asked", ["month=13", "by=model", "currency=EUR", "idle=luck"])
async def test_a_mistake_is_told(owner: Browser, asked: str) -> None:
    """In the API's words, of the page and of the file."""
    for path in ("/statements", "/statements/csv"):
        answer = await owner.get(f"{path}?{asked}")
        assert answer.status_code == 400
        assert asked.partition("=")[0].replace("currency", "per_usd") in answer.text
