"""The functions behind the admin API's routes, called by name instead of by HTTP."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from app.api.admin.guard import permission_of
from app.api.admin.roles import Caller
from app.api.admin.validation import malformed
from app.errors import NotAllowed

B = TypeVar("B", bound=BaseModel)


class Api:
    """Each route's function, with the permission that the route declares."""

    def __init__(self, router: APIRouter) -> None:
        """`router` is the API's; its routes have distinct names."""
        self._routes = {route.name: route for route in _routes(router)}

    async def call(self, caller: Caller, name: str, /, **given: Any) -> Any:
        """What the route answers with. Raises NotAllowed, and what its function raises.

        `version` is None where it is not given: as without `If-Match`.
        """
        route = self._routes[name]
        permission = permission_of(route)
        if permission is None:
            raise NotAllowed("This route declares no permission.")
        caller.require(permission)
        return await route.endpoint(**_arguments(route.endpoint, caller, given))


def valid(model: type[B], given: dict[str, Any]) -> B:
    """A body or query as the API would read it. Raises MalformedRequest with the API's words."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise malformed(RequestValidationError(faults)) from None


def _routes(router: APIRouter) -> Iterable[APIRoute]:
    return (route for route in router.routes if isinstance(route, APIRoute))


def _arguments(
    function: Callable[..., Any], caller: Caller, given: dict[str, Any]
) -> dict[str, Any]:
    """As given, and what the framework would give."""
    names = inspect.signature(function).parameters
    own = {"caller": caller, "response": Response(), "version": None}
    return {name: value for name, value in own.items() if name in names} | given
