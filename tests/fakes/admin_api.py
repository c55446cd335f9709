"""A small admin API on loopback: it keeps what it is told, and records what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN_KEY = "admin-key-of-the-tests"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    if_match: str | None
    repeated: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `body` bytes go out as they are, anything else as JSON.

    `missing` bytes are announced and never sent.
    """

    body: Any
    status: int = 200
    missing: int = 0


#: From a request to its answer.
Handler = Callable[[Asked], Answer]


def in_force(data: Any, workers: int = 2, live: int = 2) -> dict[str, Any]:
    """The answer to a change."""
    return {"data": data, "in_force": {"version": 7, "workers": workers, "live": live}}


def refused(status: int, message: str, code: str, param: str | None = None) -> Answer:
    """An error as the admin API answers it."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Answer({"error": error}, status)


@dataclass(slots=True)
class FakeAdminApi:
    """Answers are set by method and path; what has none is a 404."""

    url: str = ""
    answers: dict[tuple[str, str], Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any, status: int = 200) -> None:
        """Set what is answered, below `/admin/v1/`."""
        self.answers[method, path] = lambda _: Answer(body, status)

    def handle(self, method: str, path: str, handler: Handler) -> None:
        """Set who answers."""
        self.answers[method, path] = handler

    @property
    def last(self) -> Asked:
        """The last request."""
        return self.asked[-1]

    def respond(self, asked: Asked, authorization: str | None) -> Answer:
        """Record the request and find its answer."""
        self.asked.append(asked)
        if authorization != f"Bearer {ADMIN_KEY}":
            return refused(401, "The admin API needs a key.", "invalid_api_key")
        handler = self.answers.get((asked.method, asked.path))
        if handler is None:
            return refused(404, f"No such thing: {asked.path}.", "not_found")
        return handler(asked)


@contextmanager
def fake_admin_api() -> Iterator[FakeAdminApi]:
    """Serve until the block ends."""
    api = FakeAdminApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(api))
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(api: FakeAdminApi) -> type[BaseHTTPRequestHandler]:
    class _Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            answer = api.respond(self._asked(), self.headers.get("authorization"))
            raw = isinstance(answer.body, bytes)
            body = answer.body if raw else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("content-length", str(len(body) + answer.missing))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815  # the base's names

        def _asked(self) -> Asked:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            query = parse_qs(parts.query, keep_blank_values=True)
            return Asked(
                method=self.command,
                path=parts.path.removeprefix("/admin/v1/"),
                query={name: values[0] for name, values in query.items()},
                body=json.loads(body) if body else None,
                if_match=self.headers.get("if-match"),
                repeated=query,
            )

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
            """Nothing: the tests read what was asked."""

    return _Handler
