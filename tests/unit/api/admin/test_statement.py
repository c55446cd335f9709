"""The statement as the admin API answers it."""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from app.domain.billing.currency import Currency
from app.domain.billing.rules import BillingRules
from app.domain.billing.statement import IdleRule
from app.domain.ledger.ledger_row import LedgerRow
from tests.fakes.admin import AdminHouse
from tests.unit.domain.billing.months import UNTIL, USD, paid, ptu, served


@pytest.fixture
def house() -> AdminHouse:
    """November, in which one PTU cost 720 dollars and a quarter of it was used."""
    house = AdminHouse()
    house.clock.advance(UNTIL + 60 - house.clock.unix())
    house.billing = BillingRules((ptu(),), spilling=frozenset({"gpt-4o"}), idle=IdleRule.USE)
    house.ledger.recorded = [
        served("a", 7200, tags={"team": "=x"}),
        served("b", 3600, tenant="other"),
        paid("c", 3 * USD, spill="held"),
        paid("d", USD, tenant="other", at=UNTIL + 1),  # December's
        paid("c", 3 * USD, spill="held"),  # charged again
        paid("e", 0, cache="exact", saved_nano_usd=5 * USD, deployment_kind=None),
    ]
    return house


async def read(client: httpx2.AsyncClient, **asked: Any) -> Any:
    answer = await client.get("usage/statement", params={"month": "2026-11"} | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_everybody_owes(owner: httpx2.AsyncClient) -> None:
    """Lines, what the PTUs cost, and the sum that proves it."""
    found = (await read(owner))["data"]
    other, search = found["lines"]
    assert search["tenant"] == "search"
    assert search["amounts"] == {
        "paygo": "0.00",
        "spilled": "3.00",
        "ptu_used": "120.00",
        "ptu_idle": "360.00",
        "other": "0.00",
        "owed": "483.00",
    }
    assert (search["spilled_tokens"], search["cached_requests"], search["saved"]) == (8, 1, "5.00")
    assert (other["amounts"]["owed"], found["total"]["amounts"]["owed"]) == ("240.00", "723.00")
    assert (found["complete"], found["central"], found["currency"]) == (True, "0.00", "USD")
    check = found["check"]
    assert check["owed_nano_usd"] == 723 * USD
    assert check["owed_nano_usd"] == (
        check["ledger_nano_usd"] - check["ptu_charged_nano_usd"] + check["ptu_cost_nano_usd"]
    )
    assert found["ptus"][0]["idle_nano_usd"] == 540 * USD


async def test_that_a_tenant_admin_sees_its_own_line_alone(
    house: AdminHouse, tenant_admin: httpx2.AsyncClient, owner: httpx2.AsyncClient
) -> None:
    """To the cent as everybody's; nothing that tells of others."""
    house.billing = BillingRules(
        (ptu(usd=3),), currency=Currency("EUR", house.billing.currency.per_usd / 7)
    )
    whole = (await read(owner))["data"]
    for asked in ({}, {"by": "tag:team"}, {"tenant": "search"}):
        own = (await read(tenant_admin, **asked))["data"]
        assert own["total"]["amounts"]["owed"] == whole["lines"][1]["amounts"]["owed"]
        assert (own["central"], own["ptus"], own["check"]) == (None, None, None)
        assert "other" not in {line.get("tenant") for line in own["lines"]}
    answer = await tenant_admin.get("usage/statement", params={"tenant": "other"})
    assert answer.status_code == 404


async def test_that_the_table_is_the_same(owner: httpx2.AsyncClient) -> None:
    """As CSV; its lines add up, and what a spreadsheet would run is text."""
    asked = {"month": "2026-11", "by": "tag:team", "format": "csv", "idle": "central"}
    answer = await owner.get("usage/statement", params=asked)
    assert 'filename="statement-2026-11.csv"' in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["line"], line["tag:team"]) for line in lines] == [
        ("account", "'=x"),
        ("account", ""),
        ("central", ""),
    ]
    assert sum(Decimal(line["owed"]) for line in lines) == Decimal("723.00")
    assert sum(int(line["owed_nano_usd"]) for line in lines) == 723 * USD


class _Watched(list[LedgerRow]):
    """Rows that know how many read them at once; each reader gives others time to come."""

    def __init__(self, rows: list[LedgerRow]) -> None:
        super().__init__(rows)
        self.readers = self.most = 0
        self._another = threading.Event()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[LedgerRow]:
        with self._lock:
            self.readers += 1
            self.most = max(self.most, self.readers)
        if self.readers > 1:
            self._another.set()
        self._another.wait(0.1)
        yield from super().__iter__()
        with self._lock:
            self.readers -= 1


async def test_that_one_bill_is_made_at_a_time(
    house: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """Each reads everybody's month: many at once would take all threads, requests' too."""
    house.ledger.recorded = watched = _Watched(house.ledger.recorded)
    found = await asyncio.gather(*(read(tenant_admin) for _ in range(3)))
    assert (watched.most, found[0] == found[1] == found[2]) == (1, True)


async def test_that_the_month_is_that_of_a_zone(owner: httpx2.AsyncClient) -> None:
    """In New York November goes on for five hours."""
    found = (await read(owner, time_zone="America/New_York", idle="central"))["data"]
    assert found["complete"] is False
    assert found["lines"][0]["amounts"]["paygo"] == "1.00"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"month": "2027-01"}, "month"),
        ({"by": "model"}, "by"),
        ({"currency": "EUR"}, "per_usd"),
        ({"currency": "euros"}, "currency"),
        ({"idle": "luck"}, "idle"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_that_a_mistake_is_named(
    owner: httpx2.AsyncClient, asked: dict[str, str], param: str
) -> None:
    """By the parameter that it is in."""
    answer = await owner.get("usage/statement", params=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
