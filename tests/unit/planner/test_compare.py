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


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    """And so is a strategy."""
    for wrong in (("--scenario", "nowhere"), ("--strategy", "nobody")):
        code, text = printed(*wrong)
        assert code == 2
        assert "contended/right" in text
        assert "retry-after, shared" in text
