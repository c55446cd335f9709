"""How full the PTU deployments are, whose parts they have, and who borrows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from app.api.admin.deployments import DeploymentState
from app.api.admin.roles import Action
from app.api.console.figures.drawing import line_of, parts_of
from app.api.console.figures.history import Window
from app.api.console.frame import Console
from app.api.console.visit import Visit
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.routing.deployment import Kind

_USED: Final = "llm_ptu_utilization_ratio"
_REPORTED: Final = "llm_ptu_reported_utilization_ratio"
_ENTITLED: Final = "llm_ptu_share_ratio"
#: Whose requests the used part is put down to.
_LATELY_S: Final = 60.0
#: More than its part by less than this is within what can be told.
_MARGIN: Final = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """A tenant in a PTU deployment: the part it is entitled to, and the part it uses, of 1."""

    name: str
    entitled: float
    used: float | None

    @property
    def borrows(self) -> float:
        """What it uses beyond its part, because others leave it."""
        over = 0.0 if self.used is None else self.used - self.entitled
        return over if over > _MARGIN else 0.0


def add_ptu_page(console: Console) -> None:
    """Register it."""

    @console.page("/ptu", Action.READ_DEPLOYMENTS)
    async def ptu(visit: Visit) -> Response:
        found = await visit.api("list_deployments")
        window = await visit.frame.history.window()
        rows = await asyncio.to_thread(visit.services.recent.look)
        since = visit.services.admin.clock.unix() - _LATELY_S
        lately = [row for row in rows if row.at >= since]
        gauges = [_gauge(each, window, lately) for each in found.data if each.kind is Kind.PTU]
        return visit.show("ptu.html", title="PTU", gauges=gauges)


def _gauge(state: DeploymentState, window: Window, lately: list[LedgerRow]) -> dict[str, Any]:
    name, now = state.name, window.now
    counted = now.known(_USED, deployment=name)
    predicted = counted if counted is not None else state.utilization
    entitled = now.by(_ENTITLED, "tenant", deployment=name) or state.shares
    holders = holders_of(entitled, used_by(lately, name), predicted)
    return {
        "state": state,
        "predicted": predicted,
        "reported": now.known(_REPORTED, deployment=name),
        "line": line_of(window.values(_USED, deployment=name), 1.0),
        "holders": holders,
        "entitled": parts_of([(each.name, each.entitled) for each in holders], 1.0),
        "used": parts_of([(each.name, each.used or 0.0) for each in holders], 1.0),
    }


def used_by(rows: Iterable[LedgerRow], deployment: str) -> dict[str, float]:
    """Tokens that a deployment spent on each tenant; those that it had cached cost it nothing."""
    found: dict[str, float] = {}
    for row in rows:
        if row.deployment == deployment:
            tokens = row.input - row.cached_input + row.output
            found[row.tenant] = found.get(row.tenant, 0.0) + tokens
    return found


def holders_of(
    entitled: dict[str, float], tokens: dict[str, float], predicted: float | None
) -> list[Holder]:
    """Every tenant that has or uses a part; what is used in all is put down to them by tokens."""
    whole = sum(tokens.values())
    names = sorted(entitled.keys() | tokens.keys(), key=lambda name: -entitled.get(name, 0.0))
    return [
        Holder(
            name,
            entitled.get(name, 0.0),
            predicted * tokens.get(name, 0.0) / whole if whole and predicted is not None else None,
        )
        for name in names
    ]
