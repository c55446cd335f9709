"""Every route of the admin API lets in whom its permission lets in, before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, MutableMapping
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive

from app.api.admin.request_ids import request_id
from app.api.admin.roles import Action, Authentication, Caller
from app.api.admin.throttle import WrongKeys
from app.errors import BodyTooLarge, InvalidApiKey, NotAllowed

MAX_BODY: Final = 1024 * 1024
#: Of every answer: no cache keeps a key.
NO_STORE: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
PERMISSION: Final = "x-permission"

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def needs(action: Action) -> dict[str, Any]:
    """The declaration of a route's permission, for `openapi_extra`: it is documented, too."""
    return {PERMISSION: action.value}


def permission_of(route: Any) -> Action | None:
    """What a route declares; None for one that declares nothing, which nobody may call."""
    declared = (getattr(route, "openapi_extra", None) or {}).get(PERMISSION)
    return Action(declared) if declared is not None else None


def guarded(authentication: Authentication, wrong_keys: WrongKeys) -> type[APIRoute]:
    """A class of routes that authenticate, look at their permission, then bound the body.

    Guessing keys is slowed down: `wrong_keys` counts them, and refuses.
    """

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> _Handler:
            handler = super().get_route_handler()
            permission = permission_of(self)

            async def handle(request: Request) -> Response:
                caller = _authenticated(authentication, wrong_keys, request)
                if permission is None:
                    raise NotAllowed("This route declares no permission.")
                caller.require(permission)
                request.state.caller = caller
                answer = await handler(Request(request.scope, await _whole_body(request)))
                answer.headers.update(NO_STORE)
                return answer

            return handle

    return GuardedRoute


def _authenticated(
    authentication: Authentication, wrong_keys: WrongKeys, request: Request
) -> Caller:
    """Who calls. Raises TooManyWrongKeys and InvalidApiKey; no key at all is no guess."""
    address = request.client.host if request.client else ""
    given = ", ".join(request.headers.getlist("authorization"))  # two keys are none
    wrong_keys.require_patience(address)
    try:
        return authentication.authenticate(given, request_id(request))
    except InvalidApiKey:
        if given:
            wrong_keys.note(address)
        raise


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


#: A handler's parameter: whoever calls, let in by the route.
CallerOf = Annotated[Caller, Depends(_caller)]


async def _whole_body(request: Request) -> Receive:
    """The body read to its end, to be received again. Raises BodyTooLarge."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise BodyTooLarge(f"The body has more than {MAX_BODY} bytes.")
    messages = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await request.receive()

    return receive
