"""docs/logs.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from app.adapters.logs.flood import BURST, STRANGERS_BURST
from app.adapters.logs.lines import MOST_WAITING
from app.adapters.logs.rendering import MAX_FIELD, MAX_TRACEBACK
from app.adapters.logs.request_log import FIELDS
from app.settings.logs import LogRules

PAGE = (Path(__file__).parents[4] / "docs" / "logs.md").read_text("utf-8")


def test_the_page_has_every_field_and_no_other() -> None:
    """In the order of the line, in the same words."""
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert dict(rows) == dict(FIELDS)
    assert [name for name, _ in rows] == list(FIELDS)


def test_the_page_has_the_numbers() -> None:
    """Defaults and bounds are those of the code."""
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    assert LogRules(**yaml.safe_load(found[1])["logs"]) == LogRules()
    assert f"there are {STRANGERS_BURST}\nlines at once" in PAGE
    assert f"there are {BURST} at once" in PAGE
    assert f"Up to {MOST_WAITING // 2**20} MiB of lines wait" in PAGE
    assert f"most {MAX_FIELD:,} characters, a traceback {MAX_TRACEBACK:,}." in PAGE
