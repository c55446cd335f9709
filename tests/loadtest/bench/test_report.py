from __future__ import annotations

from pathlib import Path

from loadtest.bench import report
from loadtest.bench.results import Run
from tests.loadtest.bench.runs import run, turn
from tests.loadtest.bench.test_verdicts import whole


def test_a_report_is_a_page_its_raw_results_plots_and_settings(tmp_path: Path) -> None:
    """Every plot that the page shows is there; the raw results make the same page again."""
    report.write(whole(), tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    assert (
        "| 1 | 32 connections: at least 60 times LiteLLM's requests a second | 70.59 times |"
        in page
    )
    assert "**not met**" not in page
    assert "Met: 18 of 18 that were measured." in page
    plots = {path.name for path in tmp_path.glob("*.svg")}
    assert len(plots) == 3
    for name in plots:
        assert f"({name})" in page
        assert ">Spillgate</text>" in (tmp_path / name).read_text()
    assert "a: b" in (tmp_path / report.SETTINGS).read_text()
    report.write(Run.read(tmp_path / report.RAW), tmp_path)
    assert (tmp_path / report.PAGE).read_text() == page


def test_a_report_tells_who_is_missing_and_what_is_wrong(tmp_path: Path) -> None:
    """Never silently."""
    found = run(
        turn("direct", closed32={"per_s": 30.0}),
        turn("spillgate", differs=["archive 1, expected 2"], closed32={"per_s": 10.0}),
        portkey="Node and npm are not installed",
    )
    report.write(found, tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    assert "- portkey was left out: Node and npm are not installed" in page
    assert "- round 1, spillgate: archive 1, expected 2" in page
    assert "Met: 1 of 2 that were measured." in page  # its memory
    assert "- round 1 does not count: the upstream was not 4 times as fast" in page


def test_a_crowded_machine_is_told_of(tmp_path: Path) -> None:
    """Figures of one are not to be taken for others."""
    for others, told in ((0.02, False), (0.4, True)):
        lane = {"per_s": 10.0, "others": others}
        report.write(run(turn("spillgate", closed32=lane)), tmp_path)
        page = (tmp_path / report.PAGE).read_text()
        assert ("**The machine was not idle**: others had 40% of" in page) is told
