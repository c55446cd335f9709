"""The console as one application, to be mounted on that of the admin plane."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.api.admin.request_ids import request_id
from app.api.admin.throttle import WrongKeys
from app.api.console.api import Api
from app.api.console.figures.history import History
from app.api.console.frame import Console
from app.api.console.headers import SecurityHeaders
from app.api.console.pages import add_pages
from app.api.console.rendering import StaticFiles, Templates
from app.api.console.services import ConsoleServices
from app.api.console.sessions import Sessions
from app.api.console.sign_in import sign_in_routes
from app.api.console.visit import ROOT, Frame, wants_part
from app.errors import MethodNotAllowed, SpillgateError, UnknownRoute

#: Its address changes with its content, so that it need not be asked for again.
_KEPT: Final = {"cache-control": "private, max-age=31536000, immutable"}


def create_console(
    services: ConsoleServices, router: APIRouter, wrong_keys: WrongKeys
) -> Starlette:
    """The application; `router` is the API's, and `wrong_keys` are counted together with it."""
    return application(console_of(services, router, wrong_keys))


def console_of(services: ConsoleServices, router: APIRouter, wrong_keys: WrongKeys) -> Console:
    """All pages, registered."""
    admin = services.admin
    static = StaticFiles(f"{ROOT}/static")
    sessions = Sessions(lambda: admin.authentication, admin.clock.now, admin.randomness)
    templates = Templates(static.addresses)
    history = History(admin.metrics, admin.clock.now)
    frame = Frame(services, Api(router), sessions, wrong_keys, templates, static, history)
    console = Console(frame)
    add_pages(console)
    return console


def application(console: Console) -> Starlette:
    """The routes of all pages, with what surrounds them."""
    frame = console.frame
    routes = [*sign_in_routes(frame), _static_route(frame), *console.routes]

    async def refuse(request: Request, error: Exception) -> Response:
        return _error_page(frame, request, _told(request, error))

    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={SpillgateError: refuse, HTTPException: refuse, Exception: refuse},
    )


def _static_route(frame: Frame) -> Route:
    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        body = frame.static.bodies.get(name)
        if body is None:
            raise UnknownRoute(f"There is no file {name[:64]!r}.")
        return Response(body, headers=_KEPT, media_type=frame.static.type_of(name))

    return Route("/static/{name}", static, methods=["GET"])


def _told(request: Request, error: Exception) -> SpillgateError:
    """The refusal; of a fault of ours nothing but that there is one."""
    if isinstance(error, SpillgateError):
        return error
    if isinstance(error, HTTPException):
        is_method = error.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        said = f"{request.method} {request.url.path[:200]}"
        return MethodNotAllowed(f"{said}.") if is_method else UnknownRoute(f"Nothing is at {said}.")
    return SpillgateError("Something went wrong inside the gateway.")


def _error_page(frame: Frame, request: Request, error: SpillgateError) -> Response:
    context = {
        "root": ROOT,
        "title": HTTPStatus(error.status).phrase,
        "error": error,
        "request_id": request_id(request),
        "caller": None,
    }
    template = "error_part.html" if wants_part(request) else "error.html"
    return HTMLResponse(frame.templates.page(template, context), error.status)
