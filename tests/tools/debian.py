"""Programs of Debian packages without root: from PATH, or unpacked below .cache/debian.

apt checks what it downloads against the distribution's signed lists, as with every installation.
"""

from __future__ import annotations

import fcntl
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
UNPACKED: Final = ROOT / ".cache" / "debian"
#: For a download, or for the lists; an unreachable mirror shall not hold up the tests.
PATIENCE_S: Final = 120.0


def program(name: str, *, package: str) -> Path:
    """The program's path; the test is skipped, with the reason, where it cannot be had."""
    found = find_program(name, package)
    if isinstance(found, Path):
        return found
    pytest.skip(found)


@cache
def find_program(name: str, package: str) -> Path | str:
    """The program's path, or why there is none; a process asks only once."""
    if on_path := shutil.which(name):
        return Path(on_path)
    return _find(name, package, UNPACKED / package / "usr" / "bin")


@cache
def find_library(name: str, package: str) -> Path | str:
    """A shared library that the system does not have, in `libraries_of`; or why there is none."""
    return _find(name, package, libraries_of(package))


def libraries_of(package: str) -> Path:
    """Where a package's shared libraries are, once it is unpacked."""
    return UNPACKED / package / "usr" / "lib" / f"{platform.machine()}-linux-gnu"


def _find(name: str, package: str, directory: Path) -> Path | str:
    unpacked = directory / name
    if not unpacked.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            return f"no {name} on PATH, and no apt to get Debian's {package} with"
        with _alone():
            reason = "" if unpacked.exists() else _unpack(package)
        if reason:
            return f"no {name} on PATH, and Debian's {package} could not be had: {reason}"
    return unpacked if unpacked.exists() else f"Debian's {package} has no {name}"


def _unpack(package: str) -> str:
    """Why it failed, or nothing."""
    work = UNPACKED / f"{package}.part"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    reason = _download(package, work)
    if not reason:
        (archive,) = work.glob("*.deb")
        reason = _run(["dpkg-deb", "-x", str(archive), str(work / "tree")], work)
    if not reason:
        shutil.rmtree(UNPACKED / package, ignore_errors=True)
        (work / "tree").rename(UNPACKED / package)
    shutil.rmtree(work, ignore_errors=True)
    return reason


def _download(package: str, into: Path) -> str:
    """By the machine's own package lists; where those are missing or old, by fresh ones."""
    download = ["download", package]
    if not _run(["apt-get", "-qq", *download], into):
        return ""
    lists, cached = UNPACKED / "lists", UNPACKED / "apt"
    for each in (lists / "partial", cached / "archives" / "partial"):
        each.mkdir(parents=True, exist_ok=True)
    own = ["apt-get", "-qq", "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cached}"]
    return _run([*own, "update"], into) or _run([*own, *download], into)


def _run(command: list[str], directory: Path) -> str:
    """Why it failed, or nothing."""
    try:
        subprocess.run(
            command, cwd=directory, check=True, capture_output=True, text=True, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} took longer than {PATIENCE_S:.0f} s"
    except subprocess.CalledProcessError as error:
        return " ".join(error.stderr.split())[:200] or f"{command[0]} ended with {error.returncode}"
    return ""


@contextmanager
def _alone() -> Iterator[None]:
    """Several test processes want the same package at once; one gets it."""
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with (UNPACKED / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
