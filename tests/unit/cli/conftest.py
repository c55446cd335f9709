"""The command line against a small admin API."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.cli.output import Output, standard_output
from app.cli.session import Surroundings
from tests.fakes.admin_api import FakeAdminApi, fake_admin_api
from tests.fakes.command_line import BERLIN, NOW, Result, Run, Terminal, environment_of, run_with


@pytest.fixture
def api() -> Iterator[FakeAdminApi]:
    """An admin API of this test's own."""
    with fake_admin_api() as running:
        yield running


@pytest.fixture
def run(api: FakeAdminApi) -> Run:
    """Run a command in a pipe, against the admin API of the test."""

    def once(*arguments: str, output: Callable[[], Output] = standard_output) -> Result:
        around = Surroundings(lambda: environment_of(api), lambda: NOW, BERLIN, output)
        return run_with(around, *arguments)

    return once


@pytest.fixture
def on_terminal(run: Run) -> Run:
    """Run a command on a terminal of 120 columns without colours."""

    def once(*arguments: str) -> Result:
        out, notes = Terminal(), Terminal()
        result = run(*arguments, output=lambda: Output(out, notes, width=120, colour=False))
        return Result(result.exit_code, out.getvalue(), notes.getvalue())

    return once
