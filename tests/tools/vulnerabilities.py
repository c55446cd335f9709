"""Asks for known vulnerabilities of all that is locked, and says plainly when nobody answered.

pip-audit asks the package registry's own service, one request for each package. It ends with 0 and
"no known vulnerabilities" also where it skipped every package because the service knew none of
them, as with a mirror that has files alone. Here that is "not looked up", which `--must-reach`
makes a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.tools.locked import ROOT

TOOLS: Final = ROOT / ".venv-audit" / "bin"
#: What ships, what builds it, and what tests it.
LOCKS: Final = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("image", "build", "dev"))
VULNERABLE: Final = 1
NOT_REACHED: Final = 2


@dataclass(frozen=True, slots=True)
class Audit:
    """Packages by what was found of them; each a line for people."""

    clean: tuple[str, ...] = ()
    vulnerable: tuple[str, ...] = ()
    not_looked_up: tuple[str, ...] = ()

    def told(self) -> str:
        """The verdict."""
        lines = list(self.vulnerable)
        lines.append(
            f"{len(self.clean)} packages have no known vulnerability, {len(self.vulnerable)} have."
        )
        if self.not_looked_up or not self.clean:
            lines.append(
                f"NOT AUDITED: {len(self.not_looked_up) or 'all'} packages, because the service of"
                " known vulnerabilities did not answer for them. They may have any."
            )
        return "\n".join(lines)

    def code(self, *, must_reach: bool) -> int:
        """The exit code."""
        if self.vulnerable:
            return VULNERABLE
        reached = bool(self.clean) and not self.not_looked_up
        return NOT_REACHED if must_reach and not reached else 0


def judged(report: Mapping[str, Any]) -> Audit:
    """pip-audit's JSON."""
    clean, vulnerable, skipped = [], [], []
    for each in report["dependencies"]:
        if "skip_reason" in each:
            skipped.append(f"{each['name']}: {each['skip_reason']}")
        elif each["vulns"]:
            vulnerable.append(_line(each))
        else:
            clean.append(each["name"])
    return Audit(tuple(clean), tuple(vulnerable), tuple(skipped))


def _line(each: Mapping[str, Any]) -> str:
    ids = ", ".join(one["id"] for one in each["vulns"])
    fixed = sorted({version for one in each["vulns"] for version in one["fix_versions"]})
    return f"{each['name']} {each['version']}: {ids}; mended in {', '.join(fixed) or 'none yet'}"


def audited(locks: tuple[Path, ...] = LOCKS) -> Audit:
    """Ask for all of them; an Audit without anything where pip-audit could not."""
    given = [part for lock in locks for part in ("-r", str(lock))]
    with TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json"]
        subprocess.run([TOOLS / "pip-audit", *options, "-o", report, *given], check=False)
        if not report.exists():
            return Audit()
        return judged(json.loads(report.read_text()))


def main() -> int:
    """Ask, and say what came of it."""
    found = audited()
    sys.stdout.write(f"{found.told()}\n")
    return found.code(must_reach="--must-reach" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
