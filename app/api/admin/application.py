"""The admin plane as a FastAPI application."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from app.api.admin.admins import add_admin_routes
from app.api.admin.anomalies import add_anomaly_route
from app.api.admin.audit import add_audit_routes
from app.api.admin.cache import add_cache_routes
from app.api.admin.cache_errors import add_cache_error_routes
from app.api.admin.deployments_routes import add_deployment_routes
from app.api.admin.explain import add_explain_route
from app.api.admin.guard import NO_STORE, guarded, needs
from app.api.admin.keys import add_key_routes
from app.api.admin.ledger_readers import LedgerReaders
from app.api.admin.limits import add_limit_routes
from app.api.admin.logs import add_logs_routes
from app.api.admin.me import add_me_route
from app.api.admin.metrics import metrics_router
from app.api.admin.plan import add_plan_routes
from app.api.admin.reconciliation import add_reconciliation_route
from app.api.admin.request_ids import HEADER, RequestIds, request_id
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import ErrorAnswer
from app.api.admin.simulation import add_simulation_route
from app.api.admin.statement import add_statement_route
from app.api.admin.tenants import add_tenant_routes
from app.api.admin.throttle import WrongKeys
from app.api.admin.tracing import telemetry
from app.api.admin.usage import add_usage_routes
from app.api.admin.validation import malformed
from app.api.readiness import LIVE_PATH, READY_PATH, Readiness
from app.api.rendering import rendered
from app.errors import MalformedRequest, MethodNotAllowed, SpillgateError, UnknownRoute

CONSOLE_PATH: Final = "/console"
#: OpenAPI: every refusal, and nothing of FastAPI's own 422.
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ErrorAnswer},
    "5XX": {"model": ErrorAnswer},
}


#: Made of the API's router, and of what counts wrong keys.
MakeConsole = Callable[[APIRouter, WrongKeys], ASGIApp]


def create_admin(services: AdminServices, console: MakeConsole | None = None) -> FastAPI:
    """The application; without an owner key, administrators of the directory alone get in.

    `console` makes what is mounted below `/console`.
    """
    app = FastAPI(
        title="Spillgate admin API",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=telemetry(services.tracing),
    )
    app.add_middleware(RequestIds)
    app.include_router(_health(services.readiness))
    if services.metrics is not None:
        app.include_router(metrics_router(services.metrics))
    wrong_keys = WrongKeys(services.clock.now)
    api = _admin(services, wrong_keys)
    app.include_router(api)
    if console is not None:
        app.include_router(_to_console())
        app.mount(CONSOLE_PATH, console(api, wrong_keys))
    app.add_exception_handler(SpillgateError, _render)
    app.add_exception_handler(RequestValidationError, _render_validation)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(Exception, _render_fault)
    return app


def _health(readiness: Readiness) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(LIVE_PATH)
    @router.get(READY_PATH)
    async def health(request: Request) -> Response:
        status, said = readiness.status(request.url.path)
        return JSONResponse(said, status, NO_STORE)

    return router


def _to_console() -> APIRouter:
    """Whoever opens the bare address with a browser looks for it."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def to_console() -> Response:
        return RedirectResponse(f"{CONSOLE_PATH}/", HTTPStatus.SEE_OTHER)

    @router.get(CONSOLE_PATH)
    async def to_its_beginning() -> Response:
        return RedirectResponse(f"{CONSOLE_PATH}/", HTTPStatus.SEE_OTHER)

    return router


def _admin(services: AdminServices, wrong_keys: WrongKeys) -> APIRouter:
    """Every route of the API; each is guarded, and declares its permission."""
    route_class = guarded(services.authentication, wrong_keys)
    router = APIRouter(prefix="/admin/v1", route_class=route_class, responses=_REFUSALS)
    readers = LedgerReaders()
    add_me_route(router)
    add_tenant_routes(router, services)
    add_limit_routes(router, services)
    add_simulation_route(router, services, readers)
    add_key_routes(router, services)
    add_admin_routes(router, services)
    add_usage_routes(router, services, readers)
    add_statement_route(router, services, readers)
    add_reconciliation_route(router, services, readers)
    add_plan_routes(router, services)
    add_anomaly_route(router, services)
    add_audit_routes(router, services, readers)
    add_deployment_routes(router, services)
    add_explain_route(router, services)
    add_logs_routes(router, services)
    add_cache_routes(router, services)
    add_cache_error_routes(router, services)
    _add_openapi_route(router)
    return router


def _add_openapi_route(router: APIRouter) -> None:
    @router.get("/openapi.json", openapi_extra=needs(Action.READ_OPENAPI))
    async def read_openapi(request: Request) -> dict[str, Any]:
        """This document: every route, the permission it needs, what it takes and answers."""
        document: dict[str, Any] = request.app.openapi()
        return document


async def _render(_: Request, error: Exception) -> Response:
    assert isinstance(error, SpillgateError)  # noqa: S101  # registered for this class alone
    headers, body = rendered(error)
    return Response(body, error.status, headers | NO_STORE)


async def _render_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # the same
    return await _render(request, malformed(error))


async def _render_http(request: Request, error: Exception) -> Response:
    """What the framework refuses: a path or a method that is not there, or an unreadable body."""
    status = error.status_code if isinstance(error, HTTPException) else 0
    method = f"{request.method} {request.url.path[:200]}"
    if status == HTTPStatus.BAD_REQUEST:
        return await _render(request, MalformedRequest("Invalid request: the body is no JSON."))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return await _render(request, MethodNotAllowed(f"Invalid method for URL ({method})."))
    return await _render(request, UnknownRoute(f"Unknown request URL: {method}."))


async def _render_fault(request: Request, _: Exception) -> Response:
    """A fault of ours: the server logs it, the caller gets the id to ask for it by.

    Here the answer no longer passes the middleware.
    """
    answer = await _render(request, SpillgateError("Something went wrong inside the gateway."))
    answer.headers[HEADER] = request_id(request)
    return answer
