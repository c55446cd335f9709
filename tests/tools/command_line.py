"""The `spillgate` command with nothing behind it, for tests of what is written about it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from typer import Typer

from app.cli.commands import Commands, create_cli


def command_line() -> Typer:
    """All commands and options; none does anything."""
    nothing: dict[str, Any] = {each.name: lambda *_: 0 for each in fields(Commands)}
    return create_cli(Commands(**nothing))


def command_names() -> set[str]:
    """Commands, groups, and commands of groups: `demo`, `tenant`, `tenant list`."""
    cli = command_line()
    found = {_name(each) for each in cli.registered_commands}
    for group in cli.registered_groups:
        assert group.typer_instance is not None
        below = group.typer_instance.registered_commands
        found |= {str(group.name), *(f"{group.name} {_name(each)}" for each in below)}
    return found


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__)
