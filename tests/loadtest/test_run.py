from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loadtest import run
from loadtest.run import locust_command, main

GOOD = [
    {
        "name": "chat",
        "method": "TTFT",
        "num_requests": 1,
        "num_failures": 0,
        "total_response_time": 100,
        "response_times": {"100": 1},
    }
]


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def locust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a shell script in Locust's place; it runs in the report's directory."""

    def become(script: str) -> None:
        path = tmp_path / "locust"
        path.write_text(f"#!/bin/sh\ncd '{tmp_path}'\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(run, "LOCUST_PYTHON", path)

    return become


@pytest.fixture
def gateway() -> Iterator[str]:
    """The address of one that knows no key but this."""

    class Models(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["api-key"] == "right" else 401)
            self.end_headers()

        def log_message(self, *_told: object) -> None:
            """Not here."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Models) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_is_given_comes_after_the_defaults(tmp_path: Path) -> None:
    """Of an option given twice Locust takes the later; the host is ours to say."""
    command = locust_command(["--users", "3", "Chat"], "http://here", tmp_path)
    users = [command[place + 1] for place, each in enumerate(command) if each == "--users"]
    assert users == ["20", "3"]
    assert command[-2:] == ["--host", "http://here"]


@pytest.mark.parametrize(("p95", "code"), [(200, 0), (50, 1)])
def test_a_run_ends_with_its_verdict(
    p95: int, code: int, tmp_path: Path, locust: Callable[[str], None], gateway: str
) -> None:
    """Locust gets the gateway's address without /v1, and what it wrote is judged."""
    (tmp_path / "limits.toml").write_text(f'["TTFT chat"]\np95 = {p95}\n')
    locust(f"echo \"$@\" > said\necho '{json.dumps(GOOD)}' > statistics.json")
    where = ["--report", str(tmp_path), "--limits", str(tmp_path / "limits.toml")]
    assert main(["--host", f"{gateway}/v1/", *where, "--users", "3"]) == code
    said = (tmp_path / "said").read_text()
    assert said.endswith(f"--users 3 --host {gateway}\n")


def test_a_run_that_fails_is_no_verdict(
    tmp_path: Path,
    locust: Callable[[str], None],
    gateway: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither a good one nor a bad one; statistics of an earlier run do not count."""
    (tmp_path / "statistics.json").write_text(json.dumps(GOOD))
    arguments = ["--host", gateway, "--report", str(tmp_path)]
    locust("exit 3")
    assert main(arguments) == 2
    assert "Locust ended with exit code 3" in capsys.readouterr().err
    locust("exit 0")
    assert main(arguments) == 2
    assert "statistics.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "http://127.0.0.1:1"), "--host: http://127.0.0.1:1 cannot be reached: "),
        (("--host", "gateway"), "--host: gateway cannot be reached: unknown url type"),
        (("--limits", "nowhere.toml"), "nowhere.toml: "),
    ],
)
def test_what_cannot_be_judged_is_not_begun(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    locust: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody there, or limits with a slip in them: one line, and no load."""
    locust("touch began")
    assert main(["--host", "http://127.0.0.1:1", "--report", str(tmp_path), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"loadtest.run: {said}")
    assert not (tmp_path / "began").exists()


def test_a_key_that_is_refused_is_told_before_every_user_is(
    tmp_path: Path,
    locust: Callable[[str], None],
    gateway: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The one of the environment; which is not told."""
    locust("touch began")
    monkeypatch.setenv("LOAD_API_KEY", "wrong")
    arguments = ["--host", gateway, "--report", str(tmp_path)]
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"loadtest.run: {gateway} refuses the key in LOAD_API_KEY\n"
    assert not (tmp_path / "began").exists()
    monkeypatch.setenv("LOAD_API_KEY", "right")
    main(arguments)
    assert (tmp_path / "began").exists()
