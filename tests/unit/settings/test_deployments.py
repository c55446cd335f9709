"""What a deployment says of its model's end and of the parameters that it does not take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from app.settings import load
from app.settings.retirement import Retirement, retirements


def test_the_soonest_retirement_is_first(write: Callable[[str], Path], minimal: str) -> None:
    """Those that are far away, or never, are not spoken of."""
    text = minimal
    for name, retires in (("b", "2027-01-31"), ("c", "2026-12-01"), ("d", "2027-12-01")):
        end = f"    auth: {{entra: {{}}}}\n    retires: {retires}\nmodels:"
        entry = "  east:\n    kind: paygo\n    endpoint: https://e.openai.azure.com\n    model: m\n"
        text = text.replace("models:", entry.replace("east", name) + end)
    assert retirements(load(write(text), {}), date(2026, 12, 15)) == [
        Retirement("c", date(2026, 12, 1), -14),
        Retirement("b", date(2027, 1, 31), 47),
    ]


def test_refused_parameters_are_read(write: Callable[[str], Path], minimal: str) -> None:
    """Nothing is refused unless it is said."""
    assert load(write(minimal), {}).deployments["east"].refuses == ()
    text = minimal.replace("model: gpt-4o", "model: o3\n    refuses: [temperature, top_p]")
    assert load(write(text), {}).deployments["east"].refuses == ("temperature", "top_p")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("retires: soon", "retires: must be a day such as 2026-12-01"),
        ("retires: 2026-02-30", "retires: must be a day such as 2026-12-01"),
        ("retires: 20261201", "retires: must be a day such as 2026-12-01"),
        ("refuses: temperature", "refuses: must be a list"),
        (
            "refuses: [top p]",
            "refuses[0]: must be a parameter of a request's body, such as temperature",
        ),
    ],
)
def test_a_mistake_is_named(
    found: Callable[[str], list[str]], minimal: str, entry: str, problem: str
) -> None:
    """At its place."""
    (line,) = found(minimal.replace("model: gpt-4o", f"model: gpt-4o\n    {entry}"))
    assert line.partition(" ")[2] == f"deployments.east.{problem}"
