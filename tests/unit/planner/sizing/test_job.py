"""What is asked, as options of the command."""

from __future__ import annotations

from app.planner.sizing.job import PlanAsk


def test_that_what_is_not_said_is_no_option() -> None:
    """The command has its own defaults."""
    assert PlanAsk("gpt-4o").arguments() == ["--model=gpt-4o"]


def test_that_everything_arrives() -> None:
    """Each as one text: a tenant that is called as an option is none."""
    ask = PlanAsk(
        "gpt-4o",
        "gpt-5",
        since=0.0,
        until=86_400.5,
        kind="regional",
        most=90,
        ptus=(15, 40),
        usd_per_ptu_hour=0.0,
        usd_per_ptu_month=199.5,
        growth=2.0,
        cached=0.3,
        without=("--json", "b"),
        seed=1,
        variants=True,
    )
    assert ask.arguments() == [
        "--model=gpt-4o",
        "--as=gpt-5",
        "--since=1970-01-01T00:00:00+00:00",
        "--until=1970-01-02T00:00:00.500000+00:00",
        "--kind=regional",
        "--most=90",
        "--ptus=15",
        "--ptus=40",
        "--usd-per-ptu-hour=0.0",
        "--usd-per-ptu-month=199.5",
        "--growth=2.0",
        "--cached=0.3",
        "--without=--json",
        "--without=b",
        "--seed=1",
        "--variants",
    ]
