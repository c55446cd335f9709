"""The tour in the documents consists of commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.fakes.admin_api import ADMIN_KEY, FakeAdminApi
from tests.fakes.command_line import Run

ROOT = Path(__file__).parents[3]
TOUR = (ROOT / "docs" / "admin.md").read_text("utf-8")
#: Another one that shows nothing but admin commands, as far as it is looked at here.
CACHE = (ROOT / "docs" / "cache.md").read_text("utf-8")


def _commands(*pages: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", "".join(pages), re.DOTALL)
    shell = "".join(blocks).replace("\\\n", "")
    return re.findall(r"spillgate ([a-z]+ [^)\n]*)", shell)


@pytest.mark.parametrize("command", _commands(TOUR, CACHE))
def test_every_command_of_the_tour_is_understood(api: FakeAdminApi, run: Run, command: str) -> None:
    """It asks the admin API for something: this one has nothing, which is no usage mistake."""
    result = run(*shlex.split(command, comments=True))
    assert (result.exit_code, result.err[:25]) == (1, "spillgate: No such thing:"), result.err
    assert api.asked
    assert ADMIN_KEY not in result.err


def test_the_tour_has_every_group() -> None:
    """So that none of them is left out of the test above."""
    groups = {command.split()[0] for command in _commands(TOUR)}
    assert groups == {
        "tenant",
        "key",
        "limit",
        "usage",
        "deployment",
        "explain",
        "audit",
        "cache",
        "admin",
    }
