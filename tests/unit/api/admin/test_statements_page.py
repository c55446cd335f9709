"""The worked example of docs/statements.md: its configuration, its traffic, its tables."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from app.bootstrap.billing import billing_rules
from app.bootstrap.prices import price_table
from app.cli.output import Output
from app.cli.statement import show
from app.domain.identity.directory import TenantEntry
from app.domain.identity.route_policy import RoutePolicy
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.usage import Usage
from app.settings import build, load_catalog
from tests.fakes.admin import AdminHouse
from tests.fakes.directory import FakeDirectoryStore
from tests.fakes.ledger_rows import ledger_row
from tests.unit.domain.billing.months import AT, UNTIL

PAGE = (Path(__file__).parents[4] / "docs" / "statements.md").read_text()
EXAMPLE = PAGE[PAGE.index("## By hand") : PAGE.index("## It adds up")]
SETTINGS = build(yaml.safe_load(re.findall(r"```yaml\n(.*?)```", EXAMPLE, re.DOTALL)[0]))
PRICES = price_table(SETTINGS, load_catalog())
TRAFFIC = re.findall(r"^\| (\w+) \| ([\w-]+)[^|]*\|((?: [\d,]+ \|){3})$", EXAMPLE, re.MULTILINE)


def row(tenant: str, deployment: str, tokens: str) -> LedgerRow:
    """A line of the page's table as one request."""
    prompt, cached, output = (int(each.replace(",", "")) for each in tokens.split("|")[:3])
    served = SETTINGS.deployments[deployment]
    usage = Usage(input=prompt, cached=cached, output=output)
    return ledger_row(
        f"{tenant}-{deployment}",
        at=AT,
        tenant=tenant,
        model=served.model,
        deployment=deployment,
        deployment_kind=served.kind,
        spill="predicted" if deployment == "paygo" else "none",
        input=prompt,
        cached_input=cached,
        output=output,
        nano_usd=PRICES.cost(deployment, usage, AT).nano_usd,
    )


@pytest.fixture
def house() -> AdminHouse:
    """December, with November's requests in the ledger."""
    house = AdminHouse()
    house.clock.advance(UNTIL + 60 - house.clock.unix())
    house.billing = billing_rules(SETTINGS, load_catalog())
    house.ledger.recorded = [row(*each) for each in TRAFFIC]
    search = TenantEntry("search", routing=RoutePolicy(ptu_share=0.4))
    house.store = FakeDirectoryStore([search, TenantEntry("reports")])
    return house


@pytest.mark.parametrize(
    ("asked", "lines"), [({}, 12), ({"currency": "EUR", "per_usd": "0.92"}, 7)]
)
async def test_that_the_page_has_what_is_printed(
    owner: httpx2.AsyncClient, asked: dict[str, Any], lines: int
) -> None:
    """Of the configuration and the traffic that it names."""
    assert len(TRAFFIC) == 4
    answer = await owner.get("usage/statement", params={"month": "2026-11", **asked})
    printed = io.StringIO()
    show(Output(printed, io.StringIO()), answer.json()["data"])
    shown = "\n".join(printed.getvalue().splitlines()[:lines])
    assert f"```\n{shown}\n```" in EXAMPLE, printed.getvalue()
