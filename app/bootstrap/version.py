"""The version of Spillgate that runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """As it was installed; `unknown` in a checkout that is not."""
    try:
        return version("spillgate")
    except PackageNotFoundError:
        return "unknown"
