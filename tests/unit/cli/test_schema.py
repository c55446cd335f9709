"""`spillgate schema` prints what editors read."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from app.settings.json_schema import config_schema
from tests.tools.command_line import command_line


def test_that_the_schema_is_printed_and_nothing_else() -> None:
    """Standard output can be put into a file as it is."""
    result = CliRunner().invoke(command_line(), ["schema"], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == config_schema()
    assert result.stdout.endswith("}\n")
