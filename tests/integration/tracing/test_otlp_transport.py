"""Spans' own connection, to receivers that answer, hang up, redirect and say nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from app.adapters.tracing.otlp_transport import KeptConnection, SentElsewhere
from tests.fakes.certificates import Authority

ALLOWED = frozenset({"content-type", "x-token"})


@dataclass(slots=True)
class Receiver:
    """What came on which connection, and how it answers."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    hangs_up: bool = False  # after each answer, without a word about it
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    connections: int = 0


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """One that listens on loopback."""
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            told.connections += 1

        def do_POST(self) -> None:
            told.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(told.status)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)
            self.close_connection = told.hangs_up

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        told.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/v1/traces"
        serving = Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield told
        server.shutdown()


def post(connection: KeptConnection, url: str, **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return connection.request("POST", url, headers=given, timeout=10, data=b"spans")


def test_one_connection_carries_everything() -> None:
    """Its answers are told as the exporter asks for them."""
    with receiver() as there:
        connection = KeptConnection(there.url, ALLOWED)
        for _ in range(3):
            answer = post(connection, there.url)
            assert (answer.status_code, answer.content(), answer.error) == (200, b"{}", None)
            assert answer.headers().get("retry-after") == "7"
        connection.close()
        assert there.bodies == [b"spans"] * 3
        assert there.connections == 1


def test_only_headers_that_are_allowed_are_sent() -> None:
    """The SDK adds what it finds in the environment: tokens for somebody else."""
    with receiver() as there:
        connection = KeptConnection(there.url, ALLOWED)
        post(connection, there.url, X_Token="ours", Authorization="theirs")
        connection.close()
    assert there.headers[0]["x-token"] == "ours"
    assert "authorization" not in there.headers[0]


def test_a_receiver_that_hung_up_meanwhile_is_called_again() -> None:
    """Told as such, so that the exporter tries once more at once; and that connects anew."""
    with receiver() as there:
        there.hangs_up = True
        connection = KeptConnection(there.url, ALLOWED)
        assert post(connection, there.url).status_code == 200
        lost = post(connection, there.url)
        assert lost.status_code is None
        assert connection.is_connection_error(lost.error)
        assert post(connection, there.url).status_code == 200
        connection.close()


def test_a_redirect_is_followed_by_nobody() -> None:
    """Nor tried again: spans were not taken."""
    with receiver() as there:
        there.status = 307
        connection = KeptConnection(there.url, ALLOWED)
        answer = post(connection, there.url)
        assert answer.status_code is None
        assert isinstance(answer.error, SentElsewhere)
        assert not connection.is_connection_error(answer.error)
    assert len(there.bodies) == 1


def test_of_an_answer_without_end_a_part_is_read() -> None:
    """The spans were taken; what is left unread goes with its connection."""
    with receiver() as there:
        there.body = b"x" * (1 << 20)
        connection = KeptConnection(there.url, ALLOWED)
        for _ in range(2):
            answer = post(connection, there.url)
            assert answer.status_code == 200
            assert len(answer.content()) < len(there.body)
        connection.close()
        assert there.connections == 2


def test_a_receiver_of_ones_own_authority(tmp_path: Path) -> None:
    """Trusted where it is named, and nowhere else."""
    authority = Authority(tmp_path)
    with receiver(authority.server("127.0.0.1")) as there:
        connection = KeptConnection(there.url, ALLOWED, str(authority.path))
        assert post(connection, there.url).status_code == 200
        connection.close()
        stranger = post(KeptConnection(there.url, ALLOWED), there.url)
        assert isinstance(stranger.error, ssl.SSLCertVerificationError)
    assert len(there.bodies) == 1


def test_one_that_says_nothing_costs_its_time_out() -> None:
    """And is told as one that may answer another time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        connection = KeptConnection(url, ALLOWED)
        answer = connection.request("POST", url, timeout=0.05, data=b"spans")
        assert isinstance(answer.error, TimeoutError)
        assert connection.is_connection_error(answer.error)
