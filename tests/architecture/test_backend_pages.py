"""What the pages about back ends say can be configured can be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli.check import check

PAGES = Path(__file__).parents[2] / "docs" / "backends"
BASE = """
admin: {key: "an-admin-key-of-a-test"}
deployments:
  paygo:
    kind: paygo
    endpoint: https://x.openai.azure.com
    model: gpt-4o
    tpm: 1000
    auth: {api_key: "k"}
models: {gpt-4o: {tiers: [[paygo]]}}
"""
SNIPPETS = [
    pytest.param(snippet, id=f"{page.stem}-{number}")
    for page in sorted(PAGES.glob("*.md"))
    for number, snippet in enumerate(
        re.findall(r"```yaml\n(tracing:.*?)```", page.read_text(), re.DOTALL)
    )
]
SECRET = "InstrumentationKey=00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_snippets_of_a_back_end_pass_check(snippet: str, tmp_path: Path) -> None:
    """Added to any config, without a mistake or a warning."""
    path = tmp_path / "spillgate.yaml"
    path.write_text(BASE + snippet)
    result = check(path, dict.fromkeys(re.findall(r"\$\{(\w+)\}", snippet), SECRET))
    assert (result.exit_code, len(result.lines)) == (0, 1), result.lines


def test_every_back_end_has_a_snippet_and_is_in_the_list() -> None:
    """A page that nobody finds, or that leaves the config to the reader, is none."""
    listed = (PAGES / "README.md").read_text()
    for page in PAGES.glob("*.md"):
        if page.name != "README.md":
            assert f"]({page.name})" in listed
            assert "```yaml\ntracing:" in page.read_text(), page.name
