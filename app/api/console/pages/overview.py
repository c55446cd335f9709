"""How it goes right now: requests, first tokens, errors, spend."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from app.api.admin.roles import Action
from app.api.admin.usage import UsageQueryBody
from app.api.console.figures.drawing import line_of
from app.api.console.figures.history import Window
from app.api.console.frame import Console
from app.api.console.visit import Visit

_FIRST_TOKEN: Final = "llm_time_to_first_token_seconds"  # noqa: S105  # a family's name
_HOUR_S: Final = 3600.0


def add_overview_page(console: Console) -> None:
    """Register it."""

    @console.page("/", Action.READ_USAGE)
    async def overview(visit: Visit) -> Response:
        if visit.caller.tenant is not None:
            return visit.show("overview_tenant.html", title="Overview", **await _of_tenant(visit))
        window = await visit.frame.history.window()
        return visit.show("overview.html", title="Overview", **_of_all(window))


async def _of_tenant(visit: Visit) -> dict[str, Any]:
    """Of one tenant's ledger: what is counted at `/metrics` is not told apart by tenant."""
    now = visit.services.admin.clock.unix()
    asked = visit.valid(UsageQueryBody, {"since": now - _HOUR_S, "group_by": "model"})
    found = await visit.api("read_usage", asked=asked)
    return {"groups": found.data, "tenant": visit.caller.tenant}


def _of_all(window: Window) -> dict[str, Any]:
    now, requests = window.now, window.grown("llm_requests_total")
    errors = window.grown("llm_errors_total")
    cost = window.rate("llm_cost_dollars_total")
    return {
        "window_s": window.length_s,
        "since": now.known("process_start_time_seconds"),
        "request_rate": window.rate("llm_requests_total"),
        "request_line": line_of(window.rates("llm_requests_total")),
        "in_flight": now.total("llm_requests_in_flight"),
        "waiting": now.total("llm_queue_length"),
        "first_token": window.quantile(_FIRST_TOKEN, 0.5),
        "first_token_95": window.quantile(_FIRST_TOKEN, 0.95),
        "error_part": errors / requests if requests else None,
        "faults": window.grown_by("llm_errors_total", "fault"),
        "spend_per_hour": None if cost is None else cost * _HOUR_S,
        "spend_line": line_of(window.rates("llm_cost_dollars_total")),
        "spent": now.total("llm_cost_dollars_total"),
        "requests": now.total("llm_requests_total"),
        "tokens": now.total("llm_tokens_total"),
        "spill_part": _part(window.grown("llm_spill_total"), requests),
        "cache_part": _cache_part(window),
        "ptus": now.by("llm_ptu_utilization_ratio", "deployment"),
        "models": _models(window),
        "down": [
            each.labels["dependency"]
            for each in now.series("spillgate_dependency_up")
            if not each.value
        ],
    }


def _models(window: Window) -> list[dict[str, Any]]:
    """Each model's requests, first tokens and dollars."""
    return [
        {
            "name": name,
            "requests": total,
            "rate": window.rate("llm_requests_total", model=name),
            "first_token": window.quantile(_FIRST_TOKEN, 0.5, model=name),
            "spilled": window.now.total("llm_spill_total", model=name),
            "dollars": window.now.total("llm_cost_dollars_total", model=name),
        }
        for name, total in window.now.by("llm_requests_total", "model").items()
    ]


def _cache_part(window: Window) -> float | None:
    found = window.grown_by("llm_cache_requests_total", "result")
    hits = found.get("exact", 0.0) + found.get("semantic", 0.0)
    return _part(hits, hits + found.get("miss", 0.0))


def _part(value: float, whole: float) -> float | None:
    return value / whole if whole else None
