"""What `spillgate plan` is asked, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner, Result

from app.bootstrap.planning import planned
from app.cli.plan import Asked, CannotPlan, Find, add_plan
from app.cli.session import Surroundings
from app.planner.sizing.plan import PtuPlan, Tell
from app.planner.sizing.what_if import WhatIf

NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days in which 15 PTUs of gpt-4o are too few by day."""
    path = tmp_path_factory.mktemp("traffic") / "a.csv"

    def lines() -> Iterator[str]:
        yield "at,input,output,tenant\n"
        for at in range(0, 2 * 86_400, 4):
            tokens = 4000 if 6 <= at / 3600 % 24 < 18 else 500
            yield f"{at},{tokens},50,{'ab'[at % 8 // 4]}\n"

    path.write_text("".join(lines()))
    return path


def run(*arguments: str, find: Find = planned) -> Result:
    cli = typer.Typer(context_settings={"obj": Surroundings(dict, now=lambda: NOW)})
    add_plan(cli, find)
    return CliRunner().invoke(cli, ["--model", "gpt-4o", *arguments])


def test_the_tables(traffic: Path) -> None:
    """Numbers of PTUs with what spills and costs, the best by each term, and what it all means."""
    result = run("--csv", str(traffic), "--usd-per-ptu-year", "300")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("43,200 requests, 99,360,000 tokens; 1970-01-01 00:00 to 1970-01-02")
    assert lines[2].split() == [
        *("PTUs", "used", "spilled", "tokens", "refused", "would", "wait", "USD", "spilled"),
        *("USD", "hourly", "USD", "monthly", "USD", "yearly"),
    ]
    assert lines[3].split()[:5] == ["0", "0.0", "%", "100.0", "%"]
    assert any(line.startswith("yearly ") for line in lines)
    assert "of 1,000 resamples of the days" in result.stdout


def test_json_and_csv_say_the_same(traffic: Path) -> None:
    """Each option with its costs; shares are parts of 1."""
    told = json.loads(run("--csv", str(traffic), "--json").stdout)
    heading, *rows = run("--csv", str(traffic), "--csv-out").stdout.splitlines()
    names = heading.split(",")
    assert names[:2] == ["ptus", "utilization"]
    assert names[-3:] == ["usd_hourly", "usd_monthly", "usd_yearly"]
    assert len(rows) == len(told["options"])
    first, option = dict(zip(names, rows[1].split(","), strict=True)), told["options"][1]
    assert first["ptus"] == str(option["ptus"]) == "15"
    assert float(first["usd_monthly"]) == option["usd"]["monthly"]
    assert 0 < option["spilled_share"] < 1
    assert len(told["recommendations"][0]["hours"]["utilization"]) == 168


def test_the_plot(traffic: Path, tmp_path: Path) -> None:
    """SVG that a reader of XML takes: three lines, two weeks of 168 hours, and bars over time."""
    path = tmp_path / "plan.svg"
    assert (
        run("--csv", str(traffic), "--usd-per-ptu-year", "300", "--plot", str(path)).exit_code == 0
    )
    drawn = [each.tag.rpartition("}")[2] for each in ET.fromstring(path.read_text()).iter()]  # noqa: S314  # our own
    assert drawn.count("polyline") == 3
    assert drawn.count("rect") > 1 + 2 * 168


def test_a_number_that_is_asked_for(traffic: Path) -> None:
    """A deployment that is lost, or the PTUs that there are: what would spill, and for how long."""
    told = json.loads(run("--csv", str(traffic), "--ptus", "9", "--json").stdout)
    (few,) = [each for each in told["options"] if each["ptus"] == 9]
    assert few["spilled_share"] > 0.2
    assert few["wait_s"] > 0
    table = run("--csv", str(traffic), "--ptus", "9").stdout.splitlines()
    assert any(line.split()[:1] == ["9"] for line in table)


def test_the_kinds(traffic: Path) -> None:
    """Each with its own minimum and steps; a data zone's price is a tenth higher."""
    given = ("--csv", str(traffic), "--usd-per-ptu-year", "300", "--variants")
    told = json.loads(run(*given, "--json").stdout)
    found = {(each["kind"], each["term"]): each for each in told["variants"]}
    assert {kind for kind, _ in found} == {"global", "datazone", "regional"}
    assert found["regional", "yearly"]["ptus"] == 50
    best = next(each for each in told["recommendations"] if each["term"] == "yearly")
    assert found["global", "yearly"]["ptus"] == best["ptus"]
    assert any(line.startswith("sold as") for line in run(*given).stdout.splitlines())


def test_that_a_bound_is_kept(traffic: Path) -> None:
    """Beside a gateway no more is read than it allows."""
    result = run("--csv", str(traffic), "--at-most", "1000")
    assert (result.exit_code, "more than 1,000 requests" in result.stderr) == (2, True)


def test_what_is_asked() -> None:
    """Every option, as it arrives."""
    seen: list[Asked] = []

    def find(asked: Asked, tell: Tell) -> PtuPlan:
        del tell
        seen.append(asked)
        raise CannotPlan("enough")

    given = ("--archive", "ledger", "--as", "gpt-5", "--since", "2d", "--kind", "regional")
    what_if = ("--growth", "2", "--cached", "0.3", "--without", "a", "--without", "b")
    result = run(*given, "--most", "90", "--usd-per-ptu-month", "200", *what_if, find=find)
    assert (result.exit_code, result.stderr) == (2, "spillgate: enough\n")
    (asked,) = seen
    assert (asked.model, asked.base_model, asked.archive) == ("gpt-4o", "gpt-5", Path("ledger"))
    assert (asked.since, asked.until, asked.kind) == (NOW - 2 * 86_400, None, "regional")
    assert (asked.most, asked.usd_per_ptu) == (90, (None, 200.0, None))
    assert asked.what_if == WhatIf(2.0, 0.3, frozenset("ab"))


@pytest.mark.parametrize("given", [(), ("--archive", "a", "--csv", "b")])
def test_that_one_source_is_needed(given: tuple[str, ...]) -> None:
    """Not none, and not two."""
    result = run(*given)
    assert (result.exit_code, result.stderr) == (
        2,
        "spillgate: give either --archive or --csv\n",
    )


def test_that_a_file_that_is_not_there_is_told() -> None:
    """As the system says it."""
    result = run("--csv", "/nowhere/a.csv")
    assert result.exit_code == 1
    assert "No such file" in result.stderr
