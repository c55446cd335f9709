"""Whom a client connection speaks to: what serves its calls, and what a server knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from app.api.call import Head, HttpCall
from app.api.line import Line


class State(Protocol):
    """What a server knows of its connections, and tells them."""

    connections: set[Any]
    tasks: set[asyncio.Task[Any]]
    default_headers: list[tuple[bytes, bytes]]


class Plane(Protocol):
    """What serves calls."""

    def call(self, head: Head, line: Line) -> HttpCall:
        """A call that has come; its body is still on its way."""
        ...

    def serve(self, call: HttpCall) -> Coroutine[Any, Any, None]:
        """Answer it; the call is left at the end, whatever happens."""
        ...
