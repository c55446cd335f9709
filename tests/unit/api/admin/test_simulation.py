from __future__ import annotations

import httpx2

from tests.fakes.admin import AdminHouse
from tests.fakes.ledger_rows import ledger_row

NOON = 1_790_000_000.0


async def test_that_a_limit_is_tried_before_it_is_set(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Of three requests in a second, a limit of two a minute would have refused one."""
    house.ledger.recorded = [
        ledger_row(id_, at=NOON + 1, started_at=NOON + at)
        for id_, at in (("a", 0), ("b", 0.2), ("c", 0.4))
    ]
    house.ledger.recorded.append(ledger_row("d", at=NOON, tenant="other"))
    answer = await owner.post(
        "limits/simulate",
        json={
            "tenant": "search",
            "limits": [{"name": "rpm", "amount": 2}],
            "since": NOON - 60,
            "until": NOON + 60,
        },
    )
    outcome = answer.json()["data"]
    assert (outcome["requests"], outcome["refused"]) == (3, 1)
    assert outcome["first_refused_at"] == NOON + 0.4
    (limit,) = outcome["by_limit"]
    assert (limit["limit"]["name"], limit["over"], limit["peak"]) == ("rpm", 1, 3)
    assert house.store.changes == 0


async def test_that_what_was_used_of_a_month_before_is_read(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A monthly limit counts from the month's beginning in the tenant's time zone."""
    body = {
        "tenant": "search",
        "since": NOON,
        "limits": [{"name": "tokens_per_month", "amount": 1}],
    }
    await owner.post("limits/simulate", json=body)
    assert house.ledger.queries[-1].since == 1_788_220_800.0  # 2026-09-01T00:00Z


async def test_that_mistakes_and_strangers_are_refused(
    owner: httpx2.AsyncClient, tenant_admin: httpx2.AsyncClient
) -> None:
    """Without limits there is nothing to try; another tenant is not there."""
    body = {"tenant": "other", "limits": [{"name": "rpm", "amount": 2}]}
    assert (await tenant_admin.post("limits/simulate", json=body)).status_code == 404
    answer = await owner.post("limits/simulate", json=body | {"limits": []})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "limits")
