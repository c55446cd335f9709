"""Each answer of the admin plane names its request, refusals and faults of ours included."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.admin.tracing import name_request
from app.api.request_id import request_id_of

HEADER: Final = "x-request-id"


class RequestIds:
    """A middleware that gives each request its id, and each answer the same."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` answers."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        name_request(request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


def request_id(request: Request) -> str:
    """The id of a request that came through the middleware."""
    found: str = request.state.request_id
    return found
