"""One request of a page: who asks, what was sent, and how it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.api.admin.paging import PageQuery
from app.api.admin.roles import Action, Caller
from app.api.admin.throttle import WrongKeys
from app.api.console.api import Api, valid
from app.api.console.figures.history import History
from app.api.console.forms import TOKEN, Form
from app.api.console.navigation import menu_of
from app.api.console.rendering import StaticFiles, Templates
from app.api.console.services import ConsoleServices
from app.api.console.sessions import Notice, Session, Sessions
from app.domain.identity.directory import Directory

ROOT: Final = "/console"
_DIGITS: Final = 15
B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Frame:
    """What pages share."""

    services: ConsoleServices
    api: Api
    sessions: Sessions
    wrong_keys: WrongKeys
    templates: Templates
    static: StaticFiles
    history: History


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by somebody who is signed in, and may see this page."""

    frame: Frame
    request: Request
    session: Session
    caller: Caller
    form: Form = field(default_factory=lambda: Form([]))

    @property
    def services(self) -> ConsoleServices:
        """What pages work with."""
        return self.frame.services

    @property
    def directory(self) -> Directory:
        """Who there is, now."""
        return self.services.admin.store.current

    @property
    def is_live(self) -> bool:
        """Whether the page that is open asks for its live part again."""
        return wants_part(self.request)

    def path(self, name: str) -> str:
        """A part of the path, such as a tenant's name."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        """A value of the query; empty where it is not there."""
        return self.request.query_params.get(name, "").strip()

    def part(self, limit: int) -> PageQuery:
        """Which part of a list is asked for. Raises MalformedRequest."""
        return self.valid(PageQuery, {"cursor": self.query("cursor") or None, "limit": limit})

    async def api(self, route: str, /, **given: Any) -> Any:
        """What the API's route of that name answers to this caller."""
        return await self.frame.api.call(self.caller, route, **given)

    def valid(self, model: type[B], given: dict[str, Any]) -> B:
        """A body for it. Raises MalformedRequest."""
        return valid(model, given)

    def show(self, template: str, **context: Any) -> Response:
        """The page, or its live part alone where that is asked for."""
        templates = self.frame.templates
        if self.is_live:
            return HTMLResponse(templates.live(template, self._context() | context))
        told = {"notices": self.session.told()}
        return HTMLResponse(templates.page(template, self._context() | told | context))

    def go(self, path: str, notice: str = "", *, secret: str = "") -> Response:
        """Another page next, which says `notice`; `secret` is shown there once."""
        if notice:
            self.session.tell(Notice(notice, secret))
        return RedirectResponse(ROOT + path, HTTPStatus.SEE_OTHER)

    def _context(self) -> dict[str, Any]:
        return {
            "root": ROOT,
            "caller": self.caller,
            "may": lambda action: self.caller.may(Action(action)),
            "menu": menu_of(self.caller),
            "csrf": self.session.csrf,
            "csrf_field": TOKEN,
            "here": self.request.url.path,
            "here_with_query": _with_query(self.request),
            "notices": [],
        }


#: What a page is made by.
Handler = Callable[[Visit], Awaitable[Response]]


def wants_part(request: Request) -> bool:
    """Whether htmx asks, which is for a part of a page."""
    return request.headers.get("hx-request") == "true"


def version_in(form: Form) -> int | None:
    """The version that a form was made of, as `If-Match`; None where it names none."""
    text = form["version"]
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None


def in_force(changed: Any) -> str:
    """Where a change of the API is in force, as a sentence."""
    told = changed.in_force
    return f"In force on {told.workers} of {told.live} workers."


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def _with_query(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
