"""A configuration to start from, and a file to put one in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.settings import Problem, problems

MINIMAL = """\
deployments:
  east:
    kind: paygo
    endpoint: https://east.openai.azure.com
    model: gpt-4o
    auth: {entra: {}}
models:
  gpt-4o: {tiers: [[east]]}
"""

Problems = Callable[..., list[str]]


@pytest.fixture
def minimal() -> str:
    """The least that is a configuration."""
    return MINIMAL


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Put text into `spillgate.yaml` of an empty folder."""

    def written(text: str) -> Path:
        path = tmp_path / "spillgate.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return path

    return written


@pytest.fixture
def found(write: Callable[[str], Path]) -> Problems:
    """Problems of a text as lines, without the folder; keywords are the environment."""

    def lines(text: str, environment: Mapping[str, str] | None = None) -> list[str]:
        path = write(text)
        listed: list[Problem] = problems(path, environment or {})
        return [str(problem).removeprefix(f"{path}:") for problem in listed]

    return lines
