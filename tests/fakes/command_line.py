"""The admin commands, run in this process at a fixed time in a fixed zone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer
from typer.testing import CliRunner

from app.cli.commands import admin_commands
from app.cli.session import Surroundings
from tests.fakes.admin_api import ADMIN_KEY, FakeAdminApi

NOW = 1_795_248_000.0  # 2026-11-21 08:00:00 UTC
BERLIN = ZoneInfo("Europe/Berlin")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did."""

    exit_code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was printed, without the spaces that fill a table's lines on a terminal."""
        return [line.rstrip() for line in self.out.splitlines()]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


def environment_of(api: FakeAdminApi) -> dict[str, str]:
    return {"SPILLGATE_ADMIN_URL": api.url, "SPILLGATE_ADMIN_KEY": ADMIN_KEY}


def run_with(surroundings: Surroundings, *arguments: str) -> Result:
    cli = typer.Typer(context_settings={"obj": surroundings}, pretty_exceptions_enable=False)
    admin_commands(cli)
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    return Result(result.exit_code, result.stdout_bytes.decode(), result.stderr_bytes.decode())


def golden(name: str) -> list[str]:
    """The lines of `tests/unit/cli/golden/<name>.txt`."""
    path = Path(__file__).parents[1] / "unit" / "cli" / "golden" / f"{name}.txt"
    return path.read_text("utf-8").splitlines()
