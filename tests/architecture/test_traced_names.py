"""What traces say is documented, and what is documented is said."""

from __future__ import annotations

import re
from pathlib import Path

from app.domain.tracing.attribute_names import NAMES
from app.settings import Tracing

PAGE = Path(__file__).parents[2] / "docs" / "tracing.md"
#: Of attributes; keys of the resource, such as `deployment.environment.name`, are no part of it.
SPACES = ("gen_ai.", "openai.", "http.", "server.", "cloud.", "error.", "peer.", "mlflow.")


def test_every_attribute_is_in_the_table() -> None:
    """And the table has no other."""
    text = PAGE.read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row.split("|")[1])}
    assert told >= NAMES
    assert {name for name in told if name.startswith((*SPACES, "spillgate."))} <= NAMES


def test_every_setting_is_in_the_table() -> None:
    """By its name."""
    text = PAGE.read_text()
    settings = text[text.index("## Settings") : text.index("## Which requests")]
    assert {name for name in Tracing.model_fields if f"`{name}`" not in settings} == set()
