"""What pages say of metrics, queries and commands is what there is."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Final

import promql_parser as promql
import pytest
from typer.testing import CliRunner

from app.adapters.metrics.families import BY_NAME
from tests.grafana.promql import exposed, labels, recorded, selectors
from tests.tools.command_line import command_line
from tests.tools.rules import ROOT, RUNBOOKS

PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BOOKS: Final = sorted(RUNBOOKS.glob("*.md"))
CODE: Final = re.compile(r"```\w*\n.*?```|`[^`]+`", re.DOTALL)
#: Ends of names that only metrics have: keys, modules and files of those words have others.
METRIC: Final = re.compile(
    r"(?<![\w/:.])((?:llm|spillgate)_\w+_"
    r"(?:total|seconds|ratio|dollars|bucket|count|sum|info|state|length|score|hour|minute))\b"
)
RECORDED: Final = re.compile(r"\b((?:job|slo)\w*:[\w:]+)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
each_book = pytest.mark.parametrize("page", BOOKS, ids=lambda page: page.stem)


@each_page
def test_metrics_named_in_pages_exist(page: Path) -> None:
    """In code, and by the names that Prometheus has them by."""
    code = "\n".join(CODE.findall(page.read_text("utf-8")))
    for name in METRIC.findall(code):
        assert name in BY_NAME or exposed(name), name
    for name in RECORDED.findall(code):
        assert name in recorded(), name


def test_a_name_that_is_not_there_is_noticed() -> None:
    """The pattern finds names, and the look-up refuses them."""
    assert METRIC.findall("`llm_request_total`") == ["llm_request_total"]
    with pytest.raises(AssertionError):
        exposed("llm_request_total")


@each_book
def test_queries_of_runbooks_are_about_what_exists(page: Path) -> None:
    """Names, labels and joins; whoever is paged has no time to correct them."""
    for query in re.findall(r"```promql\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        parsed = promql.parse(query)
        if {selector.name for selector, _ in selectors(parsed)} != {"up"}:
            labels(parsed)


@cache
def _help(*words: str) -> str:
    shown = CliRunner().invoke(command_line(), [*words, "--help"], env={"COLUMNS": "200"})
    return shown.output if shown.exit_code == 0 else ""


def _command_lines(text: str) -> list[str]:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    inline = [" ".join(each.split()) for each in re.findall(r"`(spillgate [^`]+)`", text)]
    return [line for line in blocks.splitlines() if line.startswith("spillgate")] + inline


@each_book
def test_commands_of_runbooks_are_those_of_the_command_line(page: Path) -> None:
    """Groups, commands and options, each looked up in its own help."""
    for line in _command_lines(page.read_text("utf-8")):
        _program, *words = shlex.split(line)
        named = [each for each in words[:2] if re.fullmatch(r"[a-z-]+", each) and each[0] != "-"]
        shown = _help(*named) or _help(*named[:1])
        assert shown, line
        for option in (each for each in words if each.startswith("--")):
            assert re.search(rf"{option}\b", shown), (line, option)


def test_what_no_command_has_is_noticed() -> None:
    """An unknown command has no help, and an unknown option is not in it."""
    assert _help("deployment", "list")
    assert not _help("deployment", "repair")
    assert "--repair" not in _help("deployment", "list")
