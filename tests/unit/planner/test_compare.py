from __future__ import annotations

from app.planner.compare import compare
from app.planner.contenders import CONTENDERS


def printed(*arguments: str) -> tuple[int, str]:
    written: list[str] = []
    code = compare(arguments, written.append)
    return code, "".join(written)


def test_one_scenario_is_shown_in_full() -> None:
    """A row for each strategy of the registry."""
    code, text = printed("--scenario", "contended/depth 30", "--hours", "0.02", "--markdown")
    assert code == 0
    assert text.startswith("contended/depth 30 s: 100 PTUs,")
    for name in CONTENDERS:
        assert f"| {name} |" in text


def test_several_scenarios_end_with_a_summary() -> None:
    """In full only where the configuration is right, or all of them on demand."""
    arguments = ("--scenario", "few-large", "--strategy", "oracle", "--hours", "0.1")
    code, text = printed(*arguments)
    assert code == 0
    assert text.count("recall") == 1
    assert "few-large/capacity -20 %" in text.split("Wasted round trips, at PTU utilisation")[1]
    assert printed(*arguments, "--full")[1].count("recall") == 9


def test_sums_and_verdicts_end_what_is_said_of_all() -> None:
    """Each cell has its verdict, whatever the sums are."""
    code, text = printed("--hours", "0.002", "--jobs", "1")
    assert code == 0
    assert "Sums over all kinds of traffic (contended + few-large + many-small)" in text
    told = text.split("Verdict, cell by cell.")[1].splitlines()
    assert sum(" met " in f"{line} " or " short " in f"{line} " for line in told) >= 27
    assert told[-1].startswith("shadow bucket, fair shares: met in ")
    assert " of 27" in told[-1]


def test_two_processes_say_the_same_as_one() -> None:
    """In the same order."""
    arguments = ("--scenario", "few-large", "--strategy", "retry", "--hours", "0.2")
    assert printed(*arguments, "--jobs", "2") == printed(*arguments, "--jobs", "1")


def test_cautious_ones_are_shown_on_demand() -> None:
    """They cost a run of the simulation each."""
    arguments = ("--scenario", "few-large/right", "--strategy", "informed", "--hours", "0.1")
    assert "informed, margin to 16 s" not in printed(*arguments)[1]
    assert "informed, margin to 16 s" in printed(*arguments, "--cautious")[1]


def test_strategies_are_chosen_by_parts_of_their_names() -> None:
    """By each that is given: whom a verdict takes, for instance."""
    wanted = ("--strategy", "retry", "--strategy", "shadow", "--strategy", "informed")
    _, text = printed("--scenario", "few-large/right", "--hours", "0.1", *wanted)
    assert "native spillover" not in text
    assert all(name in text for name in ("retry-after, shared", "shadow bucket", "informed"))


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    """And so is a strategy."""
    for wrong in (("--scenario", "nowhere"), ("--strategy", "nobody")):
        code, text = printed(*wrong)
        assert code == 2
        assert "contended/right" in text
        assert "retry-after, shared" in text
