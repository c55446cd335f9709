"""Removes one safeguard at a time, and demands that the tests notice.

Each patch beside this file says in its first lines what it removes and, after `Tests:`, which tests
must then fail. It is applied to a copy of the tree; on a copy without it the same tests must pass.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
COPIED: Final = ("app", "tests", "docs", "examples", "pyproject.toml")
TIMEOUT_S: Final = 300

# Exit statuses of pytest; others mean that nothing was tested.
PASSED: Final = 0
FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class Mutant:
    """A safeguard's removal; `tests` are what pytest is given."""

    name: str
    patch: Path
    removes: str
    tests: tuple[str, ...]

    @classmethod
    def read(cls, patch: Path) -> Mutant:
        """Raises SystemExit where the head is not as above."""
        head = patch.read_text("utf-8").partition("\n--- ")[0]
        tests = re.search(r"^Tests: (.+)$", head, re.MULTILINE)
        if tests is None:
            raise SystemExit(f"{patch}: a line `Tests: PATH ...` is missing above the patch")
        return cls(patch.stem, patch, head.splitlines()[0], tuple(tests[1].split()))


def main(names: Sequence[str]) -> int:
    """0 when every mutant, or every one named, was noticed."""
    mutants = [Mutant.read(patch) for patch in sorted(HERE.glob("*.patch"))]
    if not mutants:
        raise SystemExit(f"there are no patches in {HERE}")
    if unknown := set(names) - {mutant.name for mutant in mutants}:
        raise SystemExit(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in mutants if not names or mutant.name in names]
    survivors = [mutant.name for mutant in chosen if not noticed(mutant)]
    if not all_pass({test for mutant in chosen for test in mutant.tests}):
        say("the tests fail without any mutant, too: this says nothing")
        return 1
    say(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants noticed")
    return 1 if survivors else 0


def noticed(mutant: Mutant) -> bool:
    """Whether its tests fail on a tree with it."""
    began = time.monotonic()
    with copied_tree() as tree:
        subprocess.run(["git", "apply", mutant.patch], cwd=tree, check=True)
        status, output = tested(tree, mutant.tests)
    verdict = "noticed" if status == FAILED else "SURVIVED"
    say(f"{verdict:9} {mutant.name}: {mutant.removes} ({time.monotonic() - began:.0f} s)")
    if status not in {PASSED, FAILED}:
        say(output)
    return status == FAILED


def all_pass(tests: Iterable[str]) -> bool:
    """Whether they pass on a tree as it is."""
    with copied_tree() as tree:
        status, output = tested(tree, sorted(tests))
    if status != PASSED:
        say(output)
    return status == PASSED


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of what the tests need, in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="spillgate-mutant-") as directory:
        tree = Path(directory)
        for name in COPIED:
            source, target = ROOT / name, tree / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        yield tree


def tested(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """The exit status of pytest, and what it printed. What the tests start is of `tree`, too."""
    profile = ["-p", "tests.mutants.finding", "--hypothesis-profile=finding"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *profile, *tests],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout[-4000:] + done.stderr[-4000:]


def say(line: str) -> None:
    """Tell it now, not when all is done."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
