"""Where pages are registered: who may see them, and which forms are let through to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from app.api.admin.request_ids import request_id
from app.api.admin.roles import Action
from app.api.console.forms import check_origin, check_token, form_of
from app.api.console.visit import ROOT, Frame, Handler, Visit, wants_part
from app.errors import InvalidApiKey

#: The session's id; a cookie of this path alone.
COOKIE: Final = "spillgate_console"
SIGN_IN: Final = "/sign-in"
_SIGN_IN_FIRST: Final = "Sign in first: there is no session, or it has ended."


def visit_of(frame: Frame, request: Request) -> Visit:
    """Whoever asks. Raises InvalidApiKey where nobody is signed in."""
    found = frame.sessions.find(
        request.cookies.get(COOKIE, ""), request_id(request), is_used=not wants_part(request)
    )
    if found is None:
        raise InvalidApiKey(_SIGN_IN_FIRST)
    session, caller = found
    return Visit(frame, request, session, caller)


class Declared(NamedTuple):
    """A route, and what its visitor has to be allowed."""

    method: str
    path: str
    action: Action


class Console:
    """Where pages are registered."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is theirs."""
        self.frame = frame
        self.routes: list[Route] = []
        self.declared: list[Declared] = []

    def page(self, path: str, action: Action) -> Callable[[Handler], Handler]:
        """Have a function answer a GET."""

        async def answer(request: Request, handler: Handler) -> Response:
            try:
                visit = visit_of(self.frame, request)
            except InvalidApiKey:
                return _to_sign_in(request)
            visit.caller.require(action)
            return await handler(visit)

        return self._registered("GET", path, action, answer)

    def act(self, path: str, action: Action) -> Callable[[Handler], Handler]:
        """Have a function answer a POST, which has to be a form of this session's."""

        async def answer(request: Request, handler: Handler) -> Response:
            check_origin(request)
            visit = visit_of(self.frame, request)
            visit.caller.require(action)
            form = await form_of(request)
            check_token(form, visit.session)
            return await handler(replace(visit, form=form))

        return self._registered("POST", path, action, answer)

    def _registered(
        self,
        method: str,
        path: str,
        action: Action,
        answer: Callable[[Request, Handler], Awaitable[Response]],
    ) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                return await answer(request, handler)

            self.declared.append(Declared(method, path, action))
            self.routes.append(Route(path, endpoint, methods=[method]))
            return handler

        return register


def _to_sign_in(request: Request) -> Response:
    """And back afterwards; a page that is open is taken there as a whole."""
    if wants_part(request):
        return Response(
            status_code=HTTPStatus.UNAUTHORIZED, headers={"hx-redirect": ROOT + SIGN_IN}
        )
    query = urlencode({"next": request.url.path}) if request.url.path != f"{ROOT}/" else ""
    address = f"{ROOT}{SIGN_IN}?{query}" if query else f"{ROOT}{SIGN_IN}"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)
