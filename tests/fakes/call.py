"""A request as a client sends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from app.domain.call.request import Route
from app.errors import ClientGone, ShuttingDown
from app.wire.routes import match


class FakeCall:
    """One HTTP request; it may be interrupted from outside, as a server would."""

    def __init__(
        self,
        path: str = "/v1/chat/completions",
        fields: Mapping[str, Any] | bytes = b"",
        *,
        method: str = "POST",
        tenant: str = "acme",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`fields` is the body; `path` may have a query; `tenant` says whose key is sent."""
        self.request_id = "req_test"
        self.client: str | None = None
        self.headers: Mapping[str, str] = {
            "authorization": f"Bearer key-of-{tenant}",
            **(headers or {}),
        }
        self.interruption: ClientGone | ShuttingDown | None = None
        self.body_was_read = False
        self._method = method
        self._path, _, self._query = path.partition("?")
        self._body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()

    @property
    def route(self) -> Route:
        return match(self._method, self._path, self._query)

    async def body(self) -> bytes:
        self.body_was_read = True
        await asyncio.sleep(0)
        return self._body

    def interrupt(
        self, task: asyncio.Task[Any], reason: ClientGone | ShuttingDown | None = None
    ) -> None:
        """Cancel the task that serves this call, and say why."""
        self.interruption = reason or ClientGone()
        task.cancel()

    def __repr__(self) -> str:
        return f"<FakeCall {self._method} {self._path}>"
