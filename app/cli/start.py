"""What a server is started with, and what it ends with, without the command line around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

#: The exit code of a configuration that cannot be put in force.
MISTAKE: Final = 2


@dataclass(frozen=True, slots=True)
class Addresses:
    """What of `listen` is given on the command line; None leaves the config's."""

    host: str | None = None
    port: int | None = None
    admin_host: str | None = None
    admin_port: int | None = None
    workers: int | None = None


def utc_today() -> date:
    """The day it is."""
    return datetime.now(UTC).date()
