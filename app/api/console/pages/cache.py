"""Kept answers: how often they answer, how often wrongly, which there are; evicted."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from app.api.admin.cache import EvictionBody, WrongBody
from app.api.admin.paging import PageQuery
from app.api.admin.roles import Action
from app.api.console.figures.history import Window
from app.api.console.forms import Form
from app.api.console.frame import Console
from app.api.console.visit import Visit, segment
from app.errors import StoreUnavailable

_AT_ONCE: Final = 50
_ANSWERS: Final = 50


def add_cache_pages(console: Console) -> None:
    """Register them."""
    _add_reading(console)
    _add_evicting(console)


def _add_reading(console: Console) -> None:
    @console.page("/cache", Action.READ_CACHE)
    async def cache(visit: Visit) -> Response:
        page = visit.part(_AT_ONCE)
        totals = await visit.api("list_totals", page=page)
        context = {
            "totals": totals.data,
            "following": totals.next,
            "errors": await _errors(visit, page),
            "hits": None,
        }
        if visit.caller.tenant is None:
            context["hits"] = _hits(await visit.frame.history.window())
        return visit.show("cache.html", title="Cache", **context)

    @console.page("/cache/{name}", Action.READ_CACHE)
    async def of_tenant(visit: Visit) -> Response:
        name = visit.path("name")
        totals = await visit.api("read_totals", name=name)
        answers, following = [], None
        if visit.caller.may(Action.LIST_CACHE):
            page = visit.part(_ANSWERS)
            found = await visit.api("list_answers", name=name, page=page)
            answers, following = found.data, found.next
        return visit.show(
            "cache_tenant.html",
            title=f"Kept answers of {name}",
            totals=totals.data,
            answers=answers,
            following=following,
        )


def _add_evicting(console: Console) -> None:
    @console.act("/cache/{name}/evict", Action.EVICT_CACHE)
    async def evict(visit: Visit) -> Response:
        name, body = visit.path("name"), visit.valid(EvictionBody, _selection(visit.form))
        found = await visit.api("evict", name=name, body=body)
        said = f"{found.data.evicted} answers are evicted, on all replicas."
        return visit.go(f"/cache/{segment(name)}", said)

    @console.act("/cache/{name}/wrong", Action.EVICT_CACHE)
    async def tell_wrong(visit: Visit) -> Response:
        name, form = visit.path("name"), visit.form
        given = {each: form[each] for each in ("request_id", "fingerprint") if form[each]}
        found = await visit.api("tell_wrong", name=name, body=visit.valid(WrongBody, given))
        counted = " It counts as a wrong hit." if found.data.counted else ""
        said = f"{found.data.evicted} answers are evicted.{counted}"
        return visit.go(f"/cache/{segment(name)}", said)


def _selection(form: Form) -> dict[str, Any]:
    names = ("request_id", "fingerprint", "model", "prompt_prefix")
    found: dict[str, Any] = {name: form[name] for name in names if form[name]}
    return found | ({"all": True} if form["all"] == "yes" else {})


async def _errors(visit: Visit, page: PageQuery) -> list[Any] | None:
    """None while nobody can tell."""
    try:
        found = await visit.api("list_errors", page=page)
    except StoreUnavailable:
        return None
    return list(found.data)


def _hits(window: Window) -> dict[str, Any]:
    now = window.now
    return {
        "results": now.by("llm_cache_requests_total", "result"),
        "lately": window.grown_by("llm_cache_requests_total", "result"),
        "saved": now.total("llm_cache_saved_dollars_total"),
        "bounds": {
            name: now.known("llm_cache_false_hit_ratio", bound=name)
            for name in ("estimate", "upper", "allowed")
        },
    }
