"""The admin plane as a FastAPI application."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.api.admin.deployments import DeploymentList
from app.api.readiness import LIVE_PATH, READY_PATH, Readiness
from app.api.rendering import rendered
from app.errors import (
    InvalidApiKey,
    MalformedRequest,
    MethodNotAllowed,
    SpillgateError,
    UnknownRoute,
)

_NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def create_admin(
    *, readiness: Readiness, key: str | None, deployments: Callable[[], DeploymentList]
) -> FastAPI:
    """The application; without a `key` every call under `/admin` is refused."""
    app = FastAPI(title="Spillgate admin API", version="1", docs_url=None, redoc_url=None)
    app.include_router(_health(readiness))
    app.include_router(_admin(deployments), dependencies=[Depends(_owner(key))])
    app.add_exception_handler(SpillgateError, _render)
    app.add_exception_handler(RequestValidationError, _render_validation)
    app.add_exception_handler(HTTPException, _render_http)
    return app


def _health(readiness: Readiness) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(LIVE_PATH)
    @router.get(READY_PATH)
    async def health(request: Request) -> Response:
        status, said = readiness.status(request.url.path)
        return JSONResponse(said, status, _NO_STORE)

    return router


def _admin(deployments: Callable[[], DeploymentList]) -> APIRouter:
    router = APIRouter(prefix="/admin/v1")

    @router.get("/deployments")
    async def list_deployments() -> DeploymentList:
        """Every deployment, and for how long it is still held."""
        return deployments()

    return router


def _owner(key: str | None) -> Callable[[Request], None]:
    """A dependency that lets only the owner's key in; compared as bytes, in constant time."""

    def check(request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        known = key is not None and hmac.compare_digest(given.encode(), key.encode())
        if not known:
            message = "The admin API needs 'Authorization: Bearer ADMIN_KEY'."
            raise InvalidApiKey(message)

    return check


async def _render(_: Request, error: Exception) -> Response:
    assert isinstance(error, SpillgateError)  # noqa: S101  # registered for this class alone
    headers, body = rendered(error)
    return Response(body, error.status, headers | _NO_STORE)


async def _render_validation(request: Request, error: Exception) -> Response:
    return await _render(request, MalformedRequest(f"Invalid request: {error}"))


async def _render_http(request: Request, error: Exception) -> Response:
    """What the router refuses: a path or a method that is not there."""
    method = f"{request.method} {request.url.path[:200]}"
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return await _render(request, MethodNotAllowed(f"Invalid method for URL ({method})."))
    return await _render(request, UnknownRoute(f"Unknown request URL: {method}."))
