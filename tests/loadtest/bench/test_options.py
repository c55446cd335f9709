from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.bench import options
from loadtest.bench.contenders import CONTENDERS
from loadtest.bench.environments import ROOT
from loadtest.bench.lane_names import ALL, CLOSED, MANY_STREAMS, ONE, OPEN

RESULTS = ROOT / "docs" / "benchmarks" / "results.json"


def test_a_whole_run_is_five_rounds_of_everybody_and_goes_to_the_documents() -> None:
    """What is published is what one command without options makes."""
    asked = options.read([])
    assert (asked.rounds, asked.seconds, asked.lanes) == (5, 5.0, ALL)
    assert asked.only == {each.name for each in CONTENDERS}
    assert (asked.report, asked.checkout) == (RESULTS.parent, ROOT)


def test_a_whole_run_of_shorter_measurements_is_one_still() -> None:
    """The report says how long they were."""
    asked = options.read(["--seconds", "3", "--rounds", "2"])
    assert (asked.rounds, asked.seconds, asked.report) == (2, 3.0, RESULTS.parent)


@pytest.mark.parametrize(
    "arguments", [("--quick",), ("--only", "spillgate,envoy"), ("--lanes", f"{ONE},{CLOSED}")]
)
def test_a_part_of_it_overwrites_no_document(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """It is written where that is said."""
    assert options.read(arguments).report is None
    assert options.read([*arguments, "--report", str(tmp_path)]).report == tmp_path


def test_parts_are_measured_in_their_order() -> None:
    """However they are asked for."""
    asked = options.read(["--quick", "--only", "direct", "--lanes", f"{ONE},{CLOSED}"])
    assert (set(asked.only), asked.lanes, asked.rounds) == ({"direct"}, (CLOSED, ONE), 1)


def test_results_that_are_there_are_read() -> None:
    """The published ones, for their report."""
    asked = options.read(["--again", str(RESULTS)])
    assert asked.again is not None
    assert asked.again[0] == RESULTS
    assert asked.again[1].turns


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "spilgate"), "there is no 'spilgate', but direct, nginx, envoy"),
        (("--lanes", "closed23"), "there is no 'closed23', but closed32, one"),
        (("--rounds", "0"), "'0' is not a whole number above 0"),
        (("--rounds", "1.5"), "'1.5' is not a whole number above 0"),
        (("--seconds", "nan"), "'nan' is not a number above 0"),
        (("--seconds", "-1"), "'-1' is not a number above 0"),
        (("--checkout", "nowhere"), "no checkout of this gateway: "),
        (("--report", str(RESULTS)), "not a directory: "),
        (("--again", "nope.json"), "no results of a run: "),
        (("--again", __file__), "no results of a run: "),
        (("--lanes", OPEN), f"{OPEN} needs {CLOSED}"),
        (("--only", "litellm", "--lanes", MANY_STREAMS), "is measured of litellm"),
    ],
)
def test_what_there_is_not_is_refused(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, with code 2; the message says what there is."""
    with pytest.raises(SystemExit) as refused:
        options.read(arguments)
    assert refused.value.code == 2
    assert said in capsys.readouterr().err
