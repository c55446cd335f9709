"""Reconciling by the admin API and the command, and the example of docs/statements.md."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.cli.output import Output
from app.cli.reconcile import show
from app.domain.billing.place import Place
from app.domain.billing.rules import BillingRules
from app.domain.reconciliation.metrics_json import moment, of_metrics_json
from app.domain.reconciliation.series import HOUR_S, series_of
from tests.fakes.admin import AdminHouse
from tests.fakes.ledger_rows import ledger_row

ROOT = Path(__file__).parents[4]
EXPORT = ROOT / "tests" / "unit" / "domain" / "reconciliation" / "exports" / "metrics.json"
PAGE = (ROOT / "docs" / "statements.md").read_text()
EIGHT = moment("2026-11-20T08:00:00Z")

#: When a request ended and began (minutes from eight), its input and output.
REQUESTS = [
    (30, 29, 40_000, 4000),
    (61, 59, 3000, 300),
    (90, 89, 27_000, 2700),
    (121, 119, 1000, 100),
    (150, 149, 30_000, 3000),
]


@pytest.fixture
def house() -> AdminHouse:
    """Three hours of the export's deployment, and a stream in the last that broke off."""
    house = AdminHouse()
    house.billing = BillingRules(places=(Place("ptu-east", "gpt-4o-ptu", "contoso-east"),))
    own: Any = {"deployment": "ptu-east", "deployment_kind": "ptu"}
    house.ledger.recorded = [
        ledger_row(
            f"r{ended}",
            at=EIGHT + 60 * ended,
            started_at=EIGHT + 60 * began,
            input=prompt,
            output=output,
            **own,
        )
        for ended, began, prompt, output in REQUESTS
    ]
    at = EIGHT + 60 * 160
    broken: Any = {"input": 500, "output": 40, "reserved_tokens": 2000, "flags": ("estimated",)}
    house.ledger.recorded.append(ledger_row("b", at=at, started_at=at - 5, **own, **broken))
    return house


def body(**fields: Any) -> dict[str, Any]:
    """The export, as the command sends it."""
    series = series_of(of_metrics_json(EXPORT.read_text()), HOUR_S)
    sent = [
        {
            "resource": each.resource,
            "deployment": each.deployment,
            "measure": each.measure,
            "starts": each.starts,
            "tokens": list(each.tokens),
        }
        for each in series
    ]
    return {"series": sent} | fields


async def test_that_the_page_has_what_is_printed(owner: httpx2.AsyncClient) -> None:
    """Of the export and the requests that it names."""
    answer = await owner.post("usage/reconciliation", json=body())
    assert answer.status_code == 200, answer.text
    printed = io.StringIO()
    show(Output(printed, io.StringIO()), answer.json()["data"])
    assert f"```\n{printed.getvalue()}```" in PAGE, printed.getvalue()


async def test_what_is_told_of_each_hour(owner: httpx2.AsyncClient) -> None:
    """Its parts; what is not this gateway's is named."""
    found = (await owner.post("usage/reconciliation", json=body())).json()["data"]
    output, prompt = found["compared"]
    assert (output["counted_at"], output["unexplained_more"]) == ("begin", 0)
    assert [step["edge"] for step in prompt["steps"]] == [3000, -2000, -1000]
    assert prompt["steps"][2]["unexplained"] == prompt["unexplained_more"] == 1500
    assert found["foreign"] == [
        {
            "resource": "contoso-east",
            "azure_deployment": "somebody-elses",
            "measure": "prompt",
            "tokens": 7000,
        }
    ]
    assert (found["since"], found["until"]) == (EIGHT, EIGHT + 3 * HOUR_S)


async def test_that_a_tenant_admin_may_not_ask(tenant_admin: httpx2.AsyncClient) -> None:
    """It would be told of others' traffic."""
    assert (await tenant_admin.post("usage/reconciliation", json=body())).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"step_s": 60},
        {"series": []},
        {"step_s": 86_400},  # the series begin at eight
        {"colour": "red"},
    ],
)
async def test_that_a_mistake_is_refused(owner: httpx2.AsyncClient, fields: Any) -> None:
    """Before anything is read."""
    assert (await owner.post("usage/reconciliation", json=body(**fields))).status_code == 400
