"""What `make mutants` takes away is still there to be taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.modules import ROOT

PATCHES = sorted((ROOT / "tests/mutants").glob("*.patch"))


def hunks(patch: str) -> list[tuple[str, str]]:
    """By file, the lines that each part of a patch looks for."""
    found: list[tuple[str, str]] = []
    path, lines = "", patch.partition("\n--- ")[2].splitlines(keepends=True)
    for line in lines:
        if line.startswith("+++ "):
            path = line.removeprefix("+++ b/").strip()
        elif line.startswith("@@ "):
            found.append((path, ""))
        elif found and line[0] in " -" and not line.startswith("--- "):
            found[-1] = path, found[-1][1] + line[1:]
    return found


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_applies(patch: Path) -> None:
    """Each place that it changes is in its file, and its tests are there."""
    text = patch.read_text("utf-8")
    wanted = hunks(text)
    assert wanted
    for path, lines in wanted:
        assert lines in (ROOT / path).read_text("utf-8"), path
    tests = re.findall(r"^Tests: (.+)$", text, re.MULTILINE)
    assert tests
    assert all((ROOT / test.partition("::")[0]).exists() for test in tests[0].split())
