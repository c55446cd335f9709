"""What `check` says of a configuration beside its mistakes: where other tenants are in force."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import quote

from app.adapters.clock import SystemClock
from app.adapters.redis.directory_reading import read_directory
from app.bootstrap.process import EMBEDDED_DIRECTORY
from app.domain.directory import Directory
from app.domain.operations import operation_differences
from app.domain.policy_warnings import policy_warnings
from app.domain.seeds import differences, seeded_tenants
from app.errors import StoreUnavailable
from app.settings import Settings


def compared(settings: Settings) -> Iterable[str]:
    """Lines that say where the directory in Redis differs, or why nothing was compared.

    The configuration creates tenants and keys that are absent; the admin API owns them afterwards.
    """
    url = _url(settings)
    if url is None:
        return ["not compared with what is in force: no embedded Redis runs in this directory"]
    try:
        directory = asyncio.run(read_directory(url, SystemClock(), cluster=_is_cluster(settings)))
    except StoreUnavailable as error:
        return [f"not compared with what is in force: {error}"]
    if directory is None:
        return ["nothing is in force yet: `serve` creates the tenants and keys"]
    differing = (*differences(settings, directory), *operation_differences(settings, directory))
    found = [f"in force otherwise: {each}" for each in differing]
    return [*(found or ["in force as configured"]), *_warnings(settings, directory)]


def _warnings(settings: Settings, directory: Directory) -> list[str]:
    """Of the tenants in force, those that `check` has not said of the configured ones."""
    said = set(policy_warnings(settings, seeded_tenants(settings)))
    found = policy_warnings(settings, directory.tenants.values())
    return [f"warning: in force: {each}" for each in found if each not in said]


def _is_cluster(settings: Settings) -> bool:
    return settings.redis is not None and settings.redis.cluster


def _url(settings: Settings) -> str | None:
    """Redis, or the embedded one where it runs; None: nowhere."""
    if settings.redis is not None:
        return settings.redis.url.get_secret_value()
    socket = EMBEDDED_DIRECTORY / "redis" / "redis.sock"
    return f"unix://{quote(str(socket.resolve()))}" if socket.is_socket() else None
