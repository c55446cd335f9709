"""What is written to the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import ConfigProblems, load
from app.settings.logs import LogRules


def test_every_request_has_a_line_unless_the_config_says_otherwise(
    write: Callable[[str], Path], minimal: str
) -> None:
    """From info on; or none has one, or some."""
    assert load(write(minimal), {}).logs == LogRules(level="info", requests=True, sample=0.01)
    for said, which in (("true", "all"), ("false", "none"), ("sample", "sample")):
        assert load(write(minimal + f"logs: {{requests: {said}}}\n"), {}).logs.which == which


@pytest.mark.parametrize("mistake", ["level: chatty", "requests: some", "sample: 1.5", "levl: x"])
def test_what_means_nothing_is_told(
    write: Callable[[str], Path], minimal: str, mistake: str
) -> None:
    """By its path."""
    path = mistake.partition(":")[0]
    with pytest.raises(ConfigProblems, match=rf"logs\.{path}: "):
        load(write(minimal + f"logs: {{{mistake}}}\n"), {})
