"""One HTTP request on the data plane, read within limits and watched until its answer is out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from app.api.request_id import request_id_of
from app.domain.call.request import Route
from app.errors import (
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    MalformedRequest,
    ShuttingDown,
    UnsupportedEncoding,
)
from app.wire.routes import match

Receive = Any  # ASGI's callables; their messages are plain dicts


class HttpCall:
    """The gateway's view of an ASGI request."""

    def __init__(
        self, scope: Mapping[str, Any], receive: Receive, *, max_body: int, body_limit_s: float
    ) -> None:
        """`max_body` in bytes; the whole body must be here within `body_limit_s` seconds."""
        self._scope = scope
        self._receive = receive
        self._max_body = max_body
        self._body_limit_s = body_limit_s
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._answered = False
        self._route: Route | None = None
        self.headers = _headers(scope["headers"])
        self.request_id = request_id_of(self.headers)
        self.interruption: ClientGone | ShuttingDown | None = None

    @property
    def route(self) -> Route:
        """What its method and path name; matched on the raw path, before any decoding."""
        if self._route is None:
            scope = self._scope
            raw_path = scope["raw_path"].decode("latin-1")
            self._route = match(scope["method"], raw_path, scope["query_string"].decode("latin-1"))
        return self._route

    async def body(self) -> bytes:
        """The whole body; from then on the connection is watched."""
        self._refuse_by_headers()
        try:
            async with asyncio.timeout(self._body_limit_s):
                body = await self._read()
        except TimeoutError:
            message = f"The request body did not arrive within {self._body_limit_s:g} s."
            raise BodyTimeout(message) from None
        self._watcher = asyncio.get_running_loop().create_task(self._watch())
        return body

    def interrupt(self, reason: ClientGone | ShuttingDown) -> None:
        """Cancel the handler, for a reason that it can name; an answer that is out stays out."""
        if self.interruption is None and self._task is not None and not self._answered:
            self.interruption = reason
            self._task.cancel()

    def answered(self) -> None:
        """The answer is complete: from here on a closed connection means nothing."""
        self._answered = True

    def close(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.cancel()

    def _refuse_by_headers(self) -> None:
        encoding = self.headers.get("content-encoding", "identity")
        if encoding.lower() not in {"", "identity"}:
            message = f"Compressed request bodies are not read: Content-Encoding '{encoding[:64]}'."
            raise UnsupportedEncoding(message, param="content-encoding")
        length = self.headers.get("content-length", "0")
        if not length.isdecimal():
            message = "The Content-Length header is not a number."
            raise MalformedRequest(message, param="content-length")
        if int(length) > self._max_body:
            raise self._too_large()

    async def _read(self) -> bytes:
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_body:
                raise self._too_large()
            more = message.get("more_body", False)
        return b"".join(parts) if len(parts) > 1 else parts[0]

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The request body is larger than {self._max_body} bytes.")

    async def _watch(self) -> None:
        """ASGI reports the end of an answered request as a disconnect too."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.interrupt(ClientGone())


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; a repeated one is joined (RFC 9110, 5.3), so two keys are none.

    Names with an underscore are dropped: some servers read `x_y` and `x-y` as one.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" not in name:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
