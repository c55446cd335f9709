"""How many PTUs: a form of what-ifs, the plan under way, and what the last one found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from starlette.responses import Response

from app.api.admin.plan import PlanBody, PlanResult, PlanView, may_cancel
from app.api.admin.roles import Action
from app.api.console.forms import Form
from app.api.console.frame import Console
from app.api.console.visit import Visit
from app.planner.sizing.plot import plotted

_KINDS: Final = ("global", "datazone", "regional")
#: Options that a table shows beside those that matter.
_MOST_ROWS: Final = 20
_DAY_S: Final = 86_400.0
_PERCENT: Final = 100
#: What a file has for a ground.
_GROUND: Final = re.compile(r'<rect width="\d+" height="\d+" fill="#ffffff"/>')
_GRID: Final = ('stroke="#dddddd"', 'stroke="currentColor" stroke-opacity="0.15"')
_AS_SHOWN: Final = '<svg width="860" fill="currentColor" '
_NUMBERS: Final = ("growth", "usd_per_ptu_hour", "usd_per_ptu_month", "usd_per_ptu_year")


def add_plan_pages(console: Console) -> None:
    """Register them."""

    @console.page("/plan", Action.MAKE_PLAN)
    async def plan(visit: Visit) -> Response:
        view: PlanView = (await visit.api("read_plan")).data
        shown = visit.show("plan.html", title="Plan", **_context(visit, view))
        if visit.is_live and view.state != "running":
            shown.headers["hx-refresh"] = "true"  # it has ended: the whole page is another one
        return shown

    @console.act("/plan", Action.MAKE_PLAN)
    async def make(visit: Visit) -> Response:
        now = visit.services.admin.clock.unix()
        body = visit.valid(PlanBody, _body(visit.form, now))
        await visit.api("make_plan", body=body)
        return visit.go("/plan", "The plan is being made.")

    @console.act("/plan/cancel", Action.MAKE_PLAN)
    async def cancel(visit: Visit) -> Response:
        await visit.api("cancel_plan")
        return visit.go("/plan", "The plan is cancelled.")


def _body(form: Form, now: float) -> dict[str, Any]:
    """As the API takes it; numbers are read there, so that mistakes are told in its words."""
    given: dict[str, Any] = {"model": form["model"]}
    given |= {name: form[name] for name in ("base_model", "kind", *_NUMBERS) if form[name]}
    given |= {name: form.words(name) for name in ("ptus", "without") if form[name]}
    if form["variants"] == "yes":
        given["variants"] = True
    if form["cached"]:
        given["cached"] = _part(form["cached"])
    if form["days"]:
        days = _number(form["days"])
        given["since"] = days if isinstance(days, str) else max(0.0, now - _DAY_S * days)
    return given


def _number(text: str) -> float | str:
    """A number; what is none stays as it is, for the API to refuse."""
    try:
        return float(text)
    except ValueError:
        return text


def _part(text: str) -> float | str:
    """Percent as a part of 1."""
    number = _number(text)
    return number if isinstance(number, str) else number / _PERCENT


def _context(visit: Visit, view: PlanView) -> dict[str, Any]:
    models = visit.services.admin.models
    return {
        "plan": view,
        "may_cancel": may_cancel(visit.caller, view.begun_by),
        "models": sorted(models()) if models is not None else [],
        "kinds": _KINDS,
        "asked": _asked(view.asked),
        "chart": None if view.result is None else _chart(view.result),
        "options": [] if view.result is None else _options(view.result, view.asked),
    }


def _asked(asked: Mapping[str, Any]) -> dict[str, str]:
    """What was asked last, for the form."""
    listed = {name: " ".join(map(str, asked.get(name, ()))) for name in ("ptus", "without")}
    cached = asked.get("cached")
    plain = {name: str(asked.get(name, "")) for name in ("model", "base_model", "kind", *_NUMBERS)}
    return {**plain, **listed, "cached": "" if cached is None else f"{cached * _PERCENT:g}"}


def _chart(result: PlanResult) -> Markup:
    """The command's own SVG, on the page's ground and in its ink.

    It is as wide as it was drawn: a phone scrolls it instead of shrinking.
    """
    drawn = _GROUND.sub("", plotted(result.model_dump()), count=1).replace(*_GRID)
    # Its texts are numbers and names of terms, which the plotter escapes.
    return Markup(drawn.replace("<svg ", _AS_SHOWN, 1))  # noqa: S704  # as said


def _options(result: PlanResult, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Some numbers of PTUs, every one that is recommended, and those that were asked for."""
    step = max(1, -(-len(result.options) // _MOST_ROWS))
    terms: dict[int, list[str]] = {}
    for each in result.recommendations:
        terms.setdefault(each.ptus, []).append(each.term)
    shown = {each.ptus for each in result.options[::step]} | {*terms, *asked.get("ptus", ())}
    return [
        {"of": each, "best": terms.get(each.ptus, [])}
        for each in result.options
        if each.ptus in shown
    ]
