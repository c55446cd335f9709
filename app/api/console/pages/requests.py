"""The last requests, and for each of them why it went where it went."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Final

from starlette.responses import Response

from app.api.admin.explain import ExplainQuery
from app.api.admin.roles import Action
from app.api.console.frame import Console
from app.api.console.visit import Visit
from app.domain.ledger.ledger_row import LedgerRow
from app.errors import UnknownEntry

_SHOWN: Final = 50
_FILTERS: Final = ("tenant", "model", "deployment", "spill", "status", "cache", "key_id")


def add_request_pages(console: Console) -> None:
    """Register them."""

    @console.page("/requests", Action.READ_LEDGER)
    async def requests(visit: Visit) -> Response:
        wanted = {name: visit.query(name) for name in _FILTERS}
        rows = await _rows(visit)
        found = (row for row in reversed(rows) if _is_wanted(row, wanted))
        shown = list(islice(found, _SHOWN))
        return visit.show("requests.html", title="Requests", rows=shown, wanted=wanted)

    @console.page("/requests/{request_id:path}", Action.READ_EXPLANATIONS)
    async def request(visit: Visit) -> Response:
        request_id = visit.path("request_id")
        try:
            asked = visit.valid(ExplainQuery, {"tenant": visit.query("tenant") or None})
            found = await visit.api("explain", request_id=request_id, asked=asked)
        except UnknownEntry as error:
            return await _unexplained(visit, request_id, error)
        rows = [row for row in await _rows(visit) if row.request_id == request_id]
        return visit.show(
            "request.html", title="Request", request_id=request_id, why=found.data, rows=rows
        )


async def _unexplained(visit: Visit, request_id: str, error: UnknownEntry) -> Response:
    """Its row in the ledger alone, which is kept for longer; nothing where there is none."""
    rows = [row for row in await _rows(visit) if row.request_id == request_id]
    if not rows:
        raise error
    return visit.show("request.html", title="Request", request_id=request_id, why=None, rows=rows)


async def _rows(visit: Visit) -> Sequence[LedgerRow]:
    """Those of tenants that the caller sees."""
    rows = await asyncio.to_thread(visit.services.recent.look)
    return [row for row in rows if visit.caller.sees(row.tenant)]


def _is_wanted(row: LedgerRow, wanted: dict[str, str]) -> bool:
    return all(str(getattr(row, name) or "") == value for name, value in wanted.items() if value)
