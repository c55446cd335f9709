"""`spillgate latency` around a comparison that is played."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner, Result

from app.cli.latency import Asked, Comparison, add_latency
from app.cli.session import Surroundings
from app.planner.latency.cost import Cost
from app.planner.latency.measuring import Tell
from app.planner.latency.plan import turns
from app.planner.latency.sample import Ending, Sample
from app.settings import ConfigProblems, Problem

COSTS = (
    Cost("ptu", 5_000_000, reserved=True, known=True),
    Cost("paygo", 30_000_000, reserved=False, known=False),
)
ALIKE = ("--config", "a.yaml", "--deployments", "ptu,paygo")


@dataclass
class Played:
    """A comparison whose PTU takes 100 ms and whose PAYGO takes twice as long."""

    costs: tuple[Cost, ...] = ()
    stops_after: int | None = None
    refuses: bool = False
    is_away: bool = False
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0

    def __call__(self, asked: Asked) -> Comparison:
        self.asked.append(asked)
        return self

    def run(self, tell: Tell) -> None:
        for turn in turns(self.asked[-1].plan):
            if self.sent == self.stops_after:
                raise KeyboardInterrupt
            self.sent += 1
            tell(turn, self._sample(turn.deployment, turn.number))

    def _sample(self, deployment: str, number: int) -> Sample:
        if self.refuses and deployment == "ptu":
            return Sample(deployment, Ending.THROTTLED, why="429")
        if self.is_away and deployment == "ptu":
            return Sample(deployment, Ending.LEFT_OUT, why="no such name")
        ttft_s = (0.1 if deployment == "ptu" else 0.2) + number / 1e6
        return Sample(deployment, Ending.ANSWERED, ttft_s, 0.01, 2 * ttft_s, 500, 0, 40)


def run(compare: Callable[[Asked], Comparison], *arguments: str, said: str | None = None) -> Result:
    cli = typer.Typer(context_settings={"obj": Surroundings(dict)}, pretty_exceptions_enable=False)
    cli.callback()(lambda: None)
    add_latency(cli, compare)
    return CliRunner().invoke(cli, ["latency", *arguments], input=said)


def test_a_table_tells_how_many_and_how_fast() -> None:
    """A line for each deployment and kind of time, with its interval and the ratio."""
    played = Played()
    result = run(played, *ALIKE, "--requests", "6", "--warm-up", "2")
    assert result.exit_code == 0
    assert played.sent == 16
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["ptu", "6", "0", "0", "500", "0", "40"] in rows
    (paygo,) = (row for row in rows if row[:2] == ["TTFT", "paygo"])
    assert paygo[2].startswith("20"), "milliseconds"
    assert paygo[5].startswith("2.00"), "twice the first's"
    assert "16 of 16: 16 answered" in result.stderr


def test_json_has_seconds_and_the_plan() -> None:
    """For scripts; what is said beside it is on the other stream."""
    told = json.loads(run(Played(), *ALIKE, "--requests", "5", "--seed", "3", "--json").stdout)
    assert told["plan"]["seed"] == 3
    assert [each["deployment"] for each in told["deployments"]] == ["ptu", "paygo"]
    assert told["deployments"][0]["times"]["ttft_s"]["median"]["value"] == pytest.approx(0.1, 0.001)


def test_the_plot_is_svg_with_a_line_for_each(tmp_path: Path) -> None:
    """Three panels of two deployments."""
    path = tmp_path / "found.svg"
    assert run(Played(), *ALIKE, "--plot", str(path)).exit_code == 0
    drawing = ET.fromstring(path.read_text())  # noqa: S314  # our own
    assert len(drawing.findall("{*}polyline")) == 6
    texts = [each.text for each in drawing.findall("{*}text")]
    assert {"TTFT, ms", "TPOT, ms", "latency, ms", "ptu (50 answers)"} <= set(texts)


def test_a_plot_that_cannot_be_written_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """What was paid for is not lost for a wrong name."""
    places = (tmp_path, tmp_path / "nowhere" / "found.svg", tmp_path / "found.png")
    for path, why in zip(places, ("written", "written", "is an SVG"), strict=True):
        played = Played()
        result = run(played, *ALIKE, "--plot", str(path))
        assert (result.exit_code, played.sent) == (2, 0)
        assert why in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
def test_a_full_disk_costs_the_plot_alone(tmp_path: Path) -> None:
    """The table is told before."""
    (tmp_path / "found.svg").symlink_to("/dev/full")
    result = run(Played(), *ALIKE, "--plot", str(tmp_path / "found.svg"))
    assert result.exit_code == 2
    assert "TTFT" in result.stdout
    assert "No space left" in result.stderr


def test_money_is_asked_for_before_anything_is_sent() -> None:
    """With what each costs; only what comes on the bill is in the sum."""
    played = Played(COSTS)
    result = run(played, *ALIKE, "--requests", "1", "--warm-up", "0")
    assert (result.exit_code, played.sent) == (2, 0)
    assert "ptu: 1 requests of 500 + up to 200 tokens: up to $0.0050 of what its hours" in (
        result.stderr
    )
    assert "the dearest is assumed" in result.stderr
    assert "add" in result.stderr
    assert "--yes" in result.stderr
    agreed = run(played, *ALIKE, "--requests", "1", "--warm-up", "0", "--yes")
    assert (agreed.exit_code, played.sent) == (0, 2)


@pytest.mark.parametrize(("said", "code", "sent"), [("y\n", 0, 2), ("n\n", 1, 0)])
def test_on_a_terminal_the_answer_decides(
    said: str, code: int, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No is the answer of who says nothing else."""
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    played = Played(COSTS)
    result = run(played, *ALIKE, "--requests", "1", "--warm-up", "0", said=said)
    assert (result.exit_code, played.sent) == (code, sent)
    assert "Send 2 requests for up to $0.0300?" in result.stderr


def test_who_stops_it_is_told_what_there_is() -> None:
    """With an exit code of its own."""
    result = run(Played(stops_after=15), *ALIKE, "--warm-up", "0")
    assert result.exit_code == 130
    assert "stopped" in result.stderr
    assert "TTFT" in result.stdout


def test_who_stops_it_while_it_warms_up_is_told_that(tmp_path: Path) -> None:
    """No table and no plot of nothing."""
    path = tmp_path / "found.svg"
    result = run(Played(stops_after=2), *ALIKE, "--warm-up", "3", "--plot", str(path))
    assert (result.exit_code, result.stdout) == (130, "")
    assert "stopped; the warm-up had not ended, so nothing was measured" in result.stderr
    assert "there is no plot" in result.stderr
    assert not path.exists()


def test_who_is_left_out_has_no_times_and_its_reason_once() -> None:
    """As the system told it; the other one's times are told."""
    result = run(Played(is_away=True), *ALIKE, "--requests", "6")
    assert result.exit_code == 1
    assert "ptu: none of its warm-up was answered, so it was not asked again: no such name" in (
        result.stderr
    )
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[1] for row in rows if row and row[0] == "TTFT"] == ["paygo"]
    assert ["ptu", "0", "0", "0", "0", "0", "0"] in rows


def test_a_deployment_that_never_answered_makes_it_fail() -> None:
    """Why is said; the other one's times are told all the same."""
    result = run(Played(refuses=True), *ALIKE, "--requests", "6")
    assert result.exit_code == 1
    assert "ptu: 6 times 429" in result.stderr
    assert "paygo" in result.stdout


@pytest.mark.parametrize("names", ["ptu", "ptu,ptu", ","])
def test_two_different_names_are_needed(names: str) -> None:
    """Before anything is read."""
    played = Played()
    result = run(played, "--config", "a.yaml", "--deployments", names)
    assert (result.exit_code, played.asked) == (2, [])


def test_mistakes_of_the_config_are_told_with_their_place() -> None:
    """As `check` tells them; so is a deployment that is not there."""

    def mistaken(_: Asked) -> Any:
        raise ConfigProblems((Problem("a.yaml", 3, 1, "models", "is wrong"),))

    def unknown(_: Asked) -> Any:
        raise ValueError("no deployment 'x' in the config")

    result = run(mistaken, *ALIKE)
    assert (result.exit_code, "a.yaml:3:1: models: is wrong" in result.stderr) == (2, True)
    result = run(unknown, *ALIKE)
    assert (result.exit_code, "spillgate: no deployment 'x'" in result.stderr) == (2, True)
