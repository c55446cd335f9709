"""`make load`: users for a minute, a report and a verdict; without `--host` on a demo of its own.

    python -m loadtest.run [--host URL] [--limits FILE] [--report DIRECTORY] [LOCUST OPTIONS]

The demo is started on free ports and stopped whatever happens. It gets a second tenant that
floods, its first one's answers are cached, and its PTU browns out now and then. The exit code is
the verdict's, or 2 where the run itself failed, or could not begin.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import Final

from loadtest import verdict

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parent
#: Locust's own environment, which `make load` makes.
LOCUST_PYTHON: Final = _ROOT / ".venv-load" / "bin" / "python"
#: What the verdict reads, in the report's directory.
STATISTICS: Final = "statistics.json"
DEFAULTS: Final = ("--users", "20", "--spawn-rate", "5", "--run-time", "60s")
_FLOOD_RPM: Final = 120
_START_S: Final = 90
#: A gateway that does not say within it what models it has is not there.
_ANSWER_S: Final = 10
_END_S: Final = 15
#: The longest run, in seconds; where a run needs longer, call Locust itself.
_LONGEST_S: Final = 3600
_FAILED: Final = 2
_INTERRUPTED: Final = 130
_READY: Final = re.compile(r"What the simulated Azure saw: (\S+)/_sim/ledger")
_EXPORT: Final = re.compile(r"^export (\w+)=(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Target:
    """What is loaded: a gateway's address, and what Locust is told by its environment."""

    host: str
    environment: Mapping[str, str]


class NotLoaded(Exception):
    """There is nothing to be judged; says why."""


def locust_command(options: Sequence[str], host: str, report: Path) -> list[str]:
    """The command; of options given twice the later counts."""
    return [
        str(LOCUST_PYTHON),
        *("-m", "locust", "--locustfile", str(_HERE / "locustfile.py")),
        *("--headless", "--only-summary", "--stop-timeout", "60", "--exit-code-on-error", "0"),
        *("--json-file", str(report / "statistics"), "--html", str(report / "report.html")),
        *DEFAULTS,
        *options,
        *("--host", host),
    ]


def main(arguments: Sequence[str]) -> int:
    """Load, report, judge; the exit code."""
    options, others = _options(arguments)
    signal.signal(signal.SIGTERM, _ended)
    try:
        verdict.limits_of(options.limits)  # a slip in them is not to cost a run
        options.report.mkdir(parents=True, exist_ok=True)
        # Those of an earlier run are not to be judged for this one.
        (options.report / STATISTICS).unlink(missing_ok=True)
        with _target(options.host) as target:
            command = locust_command(others, target.host, options.report)
            _run(command, os.environ | target.environment)
    except (NotLoaded, verdict.Unreadable, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"loadtest.run: {error}\n")
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    sys.stdout.write(f"\nreport: {options.report / 'report.html'}\n\n")
    statistics = str(options.report / STATISTICS)
    return verdict.main([statistics, "--limits", str(options.limits)])


def _options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.run",
        usage="%(prog)s [--host URL] [--limits FILE] [--report DIRECTORY] [LOCUST OPTIONS]",
        epilog="All other options, and names of classes of users, are Locust's: --users, "
        "--run-time, --shape and more. docs/load-testing.md has those that count here.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", help="a gateway; its key is in LOAD_API_KEY; default: a demo")
    parser.add_argument("--limits", type=Path, default=_HERE / "limits.toml", help="a TOML file")
    parser.add_argument("--report", type=Path, default=Path("build/load"), help="a directory")
    return parser.parse_known_args(arguments)


@contextmanager
def _target(host: str | None) -> Iterator[Target]:
    if host is not None:
        host = host.removesuffix("/").removesuffix("/v1")
        _check_reachable(host)
        yield Target(host, {})
        return
    with tempfile.TemporaryDirectory() as directory, _demo(Path(directory)) as said:
        yield _prepared(said, Path(directory))


def _check_reachable(host: str) -> None:
    """Raises NotLoaded where nobody is there, or the key is refused: so all users would be."""
    key = os.environ.get("LOAD_API_KEY", "")
    try:
        asked = urllib.request.Request(f"{host}/v1/models", headers={"api-key": key})  # noqa: S310  # whoever loads says where
        with urllib.request.urlopen(asked, timeout=_ANSWER_S):  # noqa: S310  # as above
            pass
    except urllib.error.HTTPError as answered:
        if answered.code == HTTPStatus.UNAUTHORIZED and key:
            raise NotLoaded(f"{host} refuses the key in LOAD_API_KEY") from None
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise NotLoaded(f"--host: {host} cannot be reached: {reason}") from None


@contextmanager
def _demo(directory: Path) -> Iterator[str]:
    """Run a demo, its state in `directory`; yields what it printed once it serves."""
    command = _spillgate("demo", "--port", "0", "--admin-port", "0", "--no-traffic")
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    # A file, because nobody reads a pipe while the load runs.
    with (directory / "demo.txt").open("w+") as said:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=said)  # noqa: S603  # our own command
        try:
            yield _until_ready(process, directory / "demo.txt")
        finally:
            _end(process)


def _until_ready(process: subprocess.Popen[bytes], said: Path) -> str:
    """What it printed. Raises NotLoaded where it ends, or takes too long, before it serves."""
    until = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < until:
        if _READY.search(text := said.read_text()):
            return text
        time.sleep(0.1)
    raise NotLoaded("the demo did not start")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and see to it that it does."""
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _prepared(said: str, directory: Path) -> Target:
    """The demo with a tenant that floods, and a cache for the one that asks again."""
    exports, ready = dict(_EXPORT.findall(said)), _READY.search(said)
    environment = os.environ | {"PYTHONPATH": str(_ROOT)} | exports

    def spillgate(*arguments: str) -> str:
        command = _spillgate(*arguments)
        done = subprocess.run(  # noqa: S603  # our own command
            command,
            cwd=directory,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_START_S,
        )
        return done.stdout.strip()

    spillgate("tenant", "update", "demo", "--cache", "exact=on")
    spillgate("tenant", "create", "flood", "--limit", f"rpm={_FLOOD_RPM}")
    told = {
        "LOAD_API_KEY": exports["OPENAI_API_KEY"],
        "LOAD_FLOOD_KEY": spillgate("key", "create", "flood"),
        "LOAD_SIMULATOR_URL": ready[1] if ready else "",
    }
    return Target(exports["OPENAI_BASE_URL"].removesuffix("/v1"), told)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Whatever ends us ends it. Raises NotLoaded where it fails, or takes too long."""
    if not Path(command[0]).exists():
        raise NotLoaded(f"Locust is not installed: there is no {command[0]}; `make load` makes it")
    process = subprocess.Popen(command, env={**environment, "PYTHONPATH": str(_ROOT)})  # noqa: S603  # Locust
    try:
        code = process.wait(_LONGEST_S)
    finally:
        if process.poll() is None:
            _end(process)
    if code:
        raise NotLoaded(f"Locust ended with exit code {code}")


def _spillgate(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "app.main", *arguments]


def _ended(_number: int, _frame: FrameType | None) -> None:
    """TERM ends what was started, too."""
    raise SystemExit(_FAILED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
