from __future__ import annotations

from typing import Any

import httpx2

from app.api.admin.application import create_admin
from app.domain.identity.directory import Role
from app.domain.quota.anomaly import (
    AnomalyReport,
    Deviation,
    History,
    HourFound,
    UsageMeasure,
)
from tests.fakes.admin import ADMIN_KEYS, OWNER_KEY, AdminHouse
from tests.fakes.changed import replace


def hour_of(tenant: str, score: float) -> HourFound:
    deviation = Deviation(UsageMeasure.TOKENS, score, 5000.0, 100.0, History.WEEK, 8)
    return HourFound(tenant, 500_000, under_way=True, deviations=(deviation,))


REPORT = AnomalyReport(7.0, (hour_of("other", 1.5), hour_of("search", 12.0)))


async def asked(key: str, query: str = "", report: AnomalyReport = REPORT) -> Any:
    """The answer of a house that found this."""
    app = create_admin(replace(AdminHouse().services(), anomalies=lambda: report))
    transport = httpx2.ASGITransport(app)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(transport=transport, headers=headers) as client:
        answer = await client.get(f"http://admin/admin/v1/anomalies{query}")
        return answer.json()["data"] if answer.is_success else answer.status_code


async def test_that_hours_are_shown_with_what_they_should_come_to() -> None:
    """The furthest up first."""
    data = await asked(OWNER_KEY)
    assert data["looked_at"] == 7.0
    assert [each["tenant"] for each in data["hours"]] == ["search", "other"]
    assert data["hours"][0] == {
        "tenant": "search",
        "hour": 500_000 * 3600.0,
        "under_way": True,
        "measures": [
            {
                "measure": "tokens",
                "score": 12.0,
                "value": 5000.0,
                "usual": 100.0,
                "history": "hour_of_week",
                "samples": 8,
            }
        ],
    }


async def test_that_some_can_be_asked_for() -> None:
    """Of one tenant, or those alone that are far up."""
    assert [each["tenant"] for each in (await asked(OWNER_KEY, "?tenant=other"))["hours"]] == [
        "other"
    ]
    assert [each["tenant"] for each in (await asked(OWNER_KEY, "?least_score=5"))["hours"]] == [
        "search"
    ]


async def test_that_a_tenant_admin_sees_its_own_tenant() -> None:
    """Of others it does not even learn that they are there."""
    key = ADMIN_KEYS[Role.TENANT_ADMIN]
    assert [each["tenant"] for each in (await asked(key))["hours"]] == ["search"]
    assert await asked(key, "?tenant=other") == 404


async def test_that_nobody_has_looked_yet() -> None:
    """It says so, rather than that nothing was found."""
    assert await asked(OWNER_KEY, report=AnomalyReport()) == {"looked_at": None, "hours": []}
