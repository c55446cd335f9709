"""Signing in with an admin key, and out again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.api.admin.request_ids import request_id
from app.api.console.before_sign_in import SignInForms
from app.api.console.forms import TOKEN, check_origin, check_token, form_of
from app.api.console.frame import COOKIE, SIGN_IN, visit_of
from app.api.console.sessions import LONGEST_S
from app.api.console.visit import ROOT, Frame
from app.errors import InvalidApiKey, SpillgateError

SIGN_OUT: Final = "/sign-out"
_WRONG: Final = "That is no administrator's key."
_ENDED: Final = "This page was open for too long, or cookies are off: please try once more."
_LONGEST_KEY: Final = 1024


def sign_in_routes(frame: Frame) -> list[Route]:
    """The only routes, beside static files, that nobody has to be signed in for."""
    forms = SignInForms(frame.services.admin.randomness)

    def page(request: Request, said: str, status: int, next_page: str) -> Response:
        def render(token: str) -> Response:
            context = _context(request, token) | {"error": said, "next": next_page}
            return HTMLResponse(frame.templates.page("sign_in.html", context), status)

        return forms.begin(request, render, ROOT + SIGN_IN)

    async def ask(request: Request) -> Response:
        return page(request, "", HTTPStatus.OK, request.query_params.get("next", ""))

    async def sign_in(request: Request) -> Response:
        check_origin(request)
        form = await form_of(request)
        if not forms.is_ours(request, form[TOKEN]):
            return page(request, _ENDED, HTTPStatus.FORBIDDEN, form["next"])
        try:
            return _signed_in(frame, request, form["key"], form["next"])
        except SpillgateError as error:
            said = _WRONG if isinstance(error, InvalidApiKey) else error.message
            return page(request, said, error.status, form["next"])

    async def sign_out(request: Request) -> Response:
        check_origin(request)
        visit = visit_of(frame, request)
        check_token(await form_of(request), visit.session)
        frame.sessions.end(request.cookies[COOKIE])
        answer = RedirectResponse(ROOT + SIGN_IN, HTTPStatus.SEE_OTHER)
        answer.delete_cookie(COOKIE, path=ROOT)
        return answer

    return [
        Route(SIGN_IN, ask, methods=["GET"]),
        Route(SIGN_IN, sign_in, methods=["POST"]),
        Route(SIGN_OUT, sign_out, methods=["POST"]),
    ]


def _signed_in(frame: Frame, request: Request, key: str, next_page: str) -> Response:
    """Raises InvalidApiKey, TooManyWrongKeys: guessing here counts with guessing at the API."""
    address = request.client.host if request.client else ""
    frame.wrong_keys.require_patience(address)
    try:
        shown = f"Bearer {key[:_LONGEST_KEY]}"
        caller = frame.services.admin.authentication.authenticate(shown, request_id(request))
    except InvalidApiKey:
        frame.wrong_keys.note(address)
        raise
    frame.sessions.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse(_safe(next_page), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        frame.sessions.begin(key, caller),
        max_age=int(LONGEST_S),
        path=ROOT,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


def _context(request: Request, token: str) -> dict[str, Any]:
    return {
        "root": ROOT,
        "csrf": token,
        "csrf_field": TOKEN,
        "title": "Sign in",
        "is_tls": request.url.scheme == "https",
        "caller": None,
    }


def _safe(next_page: str) -> str:
    """A page of the console, never another site's."""
    is_ours = next_page.startswith(f"{ROOT}/") and not set(next_page) & set("\\\r\n\t")
    return next_page if is_ours else f"{ROOT}/"
