"""`spillgate schema`: the configuration's JSON Schema, for editors."""

from __future__ import annotations

import json

import typer

from app.settings.json_schema import config_schema


def add_schema(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command()
    def schema() -> None:
        """Print the JSON Schema of the config, for editors that complete and check it."""
        typer.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The schema as a file has it."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"
