"""What left its first tier, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from app.api.admin.roles import Action
from app.api.console.figures.history import Window
from app.api.console.frame import Console
from app.api.console.visit import Visit
from app.domain.capacity.spill import SpillReason

#: Each reason as a sentence.
MEANINGS: Final[Mapping[SpillReason, str]] = {
    SpillReason.NONE: "stayed in its first tier",
    SpillReason.THROTTLED: "the deployment refused this very request",
    SpillReason.HELD: "the deployment had asked to be left alone for a while",
    SpillReason.PREDICTED: "it would not have fitted, so it was not tried",
    SpillReason.SHARE: "the room that was left is the part of other tenants",
    SpillReason.SIZE: "so large that it would have blocked others",
    SpillReason.ERROR: "the deployment failed",
    SpillReason.UNHEALTHY: "the deployment had failed too often",
    SpillReason.POLICY: "a policy of the tenant, or the deployment drains",
}


def add_spill_page(console: Console) -> None:
    """Register it."""

    @console.page("/spill", Action.READ_DEPLOYMENTS)
    async def spill(visit: Visit) -> Response:
        window = await visit.frame.history.window()
        return visit.show("spill.html", title="Spill", **_figures(window))


def _figures(window: Window) -> dict[str, Any]:
    now = window.now
    lately = window.grown_by("llm_spill_total", "reason")
    totals = now.by("llm_spill_total", "reason")
    most = max(totals.values(), default=0.0)
    answered = window.grown("llm_class_requests_total")
    return {
        "part": sum(lately.values()) / answered if answered else None,
        "total": sum(totals.values()),
        "dollars": now.total("llm_spill_cost_dollars_total"),
        "reasons": [
            {
                "name": reason.value,
                "meaning": meaning,
                "total": totals.get(reason.value, 0.0),
                "lately": lately.get(reason.value, 0.0),
                "part": totals.get(reason.value, 0.0) / most if most else 0.0,
            }
            for reason, meaning in MEANINGS.items()
            if reason is not SpillReason.NONE
        ],
        "models": _table(window, "llm_spill_total", "model"),
        "tenants": _some(now.by("llm_spill_cost_dollars_total", "tenant")),
        "classes": {
            name: (now.total("llm_class_requests_total", **{"class": name}), spilled)
            for name, spilled in _spilled_by_class(window).items()
        },
        "throttles": _some(
            now.sums("llm_throttles_total", lambda of: f"{of['deployment']}: {of['reason']}")
        ),
        "holds": {
            each.labels["deployment"]: each.value
            for each in now.series("llm_deployment_hold_seconds")
            if each.value > 0
        },
    }


def _some(found: dict[str, float]) -> dict[str, float]:
    """Those of which there is anything."""
    return {name: value for name, value in found.items() if value}


def _table(window: Window, family: str, label: str) -> list[tuple[str, float, float]]:
    lately = window.grown_by(family, label)
    return [
        (name, all_, lately.get(name, 0.0)) for name, all_ in window.now.by(family, label).items()
    ]


def _spilled_by_class(window: Window) -> dict[str, float]:
    answered = window.now.by("llm_class_requests_total", "class")
    stayed = window.now.by("llm_class_requests_total", "class", spill=SpillReason.NONE.value)
    return {name: value - stayed.get(name, 0.0) for name, value in answered.items()}
