"""What each tenant or tag owes for a month, with a table to take along."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from app.api.admin.periods import Form as Format
from app.api.admin.roles import Action
from app.api.admin.statement import StatementQuery
from app.api.admin.statement_view import StatementView
from app.api.console.frame import Console
from app.api.console.visit import Visit
from app.domain.billing.bill import AMOUNTS
from app.domain.billing.statement import IdleRule

#: What the form sends, as the API names it.
_FIELDS: Final = ("month", "by", "tenant", "idle", "currency", "per_usd")
_TITLES: Final = {
    "paygo": "Pay-as-you-go",
    "spilled": "Spilled",
    "ptu_used": "PTU used",
    "ptu_idle": "PTU idle",
    "other": "Other",
}
_RULES: Final = {
    IdleRule.SHARE: "by guaranteed share",
    IdleRule.USE: "by use",
    IdleRule.CENTRAL: "kept central",
}


def add_statement_pages(console: Console) -> None:
    """Register them."""

    @console.page("/statements", Action.READ_USAGE)
    async def statements(visit: Visit) -> Response:
        asked = visit.valid(StatementQuery, _given(visit))
        found: StatementView = (await visit.api("read_statement", asked=asked)).data
        return visit.show("statements.html", title="Statements", **_context(visit, found))

    @console.page("/statements/csv", Action.READ_USAGE)
    async def download(visit: Visit) -> Response:
        asked = visit.valid(StatementQuery, {**_given(visit), "format": Format.CSV})
        answer: Response = await visit.api("read_statement", asked=asked)
        return answer


def _given(visit: Visit) -> dict[str, str]:
    return {name: value for name in _FIELDS if (value := visit.query(name))}


def _context(visit: Visit, found: StatementView) -> dict[str, Any]:
    given = _given(visit)
    return {
        "found": found,
        "wanted": {name: given.get(name, "") for name in _FIELDS} | {"month": found.month},
        "amounts": {name: _TITLES[name] for name in AMOUNTS},
        "rules": {rule.value: said for rule, said in _RULES.items()},
        "download": urlencode(given | {"month": found.month}),
    }
