"""What the image is made of: listed, licensed, asked about; and who does that on each change."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.files import ROOT, read
from tests.deploy.test_dockerfile import pins
from tests.deploy.test_linters import run
from tests.tools import sbom
from tests.tools.licences import allowed, refused
from tests.tools.locked import IMAGE, locked
from tests.tools.vulnerabilities import LOCKS, NOT_REACHED, VULNERABLE, Audit, judged

WORKFLOW: Final = ROOT / ".github" / "workflows" / "ci.yml"
needs_audit = pytest.mark.skipif(not sbom.TOOLS.exists(), reason="`make sbom` installs what lists")
CLEAN: Final = {"name": "idna", "version": "3.20", "vulns": []}
SKIPPED: Final = {"name": "yarl", "skip_reason": "not found"}
FOUND: Final = {
    "name": "cffi",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.2", "1.1"]}],
}


def test_the_image_s_packages_are_those_of_its_lock() -> None:
    """Each once, and without those of other systems."""
    found = [f"{pin.name}=={pin.version}" for pin in locked(IMAGE)]
    assert len(found) == len(set(found)) > 50
    assert {each.split("==")[0] for each in found}.isdisjoint({"colorama", "httpx2-jsfetch"})
    assert set(found) <= {re.sub(r"\[.*\]", "", each) for each in pins("image.txt")}
    assert all("--hash=sha256:" in pin.line for pin in locked(IMAGE))


def test_every_package_of_the_image_may_be_passed_on() -> None:
    """By its own metadata, and none without."""
    assert refused(locked(IMAGE)) == []


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0-only", False),
        ("MIT AND AGPL-3.0-only", False),
        ("SSPL-1.0", False),
        ("", False),
    ],
)
def test_licences_are_read(licence: str, may: bool) -> None:  # noqa: FBT001  # a table of cases
    """One of OR is enough, all of AND are needed, and what says none is not taken."""
    assert allowed(licence) is may


@pytest.mark.parametrize(
    ("packages", "code", "required"),
    [
        ([CLEAN], 0, 0),
        ([CLEAN, FOUND], VULNERABLE, VULNERABLE),
        ([SKIPPED, FOUND], VULNERABLE, VULNERABLE),
        ([CLEAN, SKIPPED], 0, NOT_REACHED),
        ([SKIPPED], 0, NOT_REACHED),
    ],
)
def test_an_audit_that_did_not_happen_is_no_clean_one(
    packages: list[dict[str, Any]], code: int, required: int
) -> None:
    """pip-audit itself takes packages that nobody looked up for clean ones."""
    audit = judged({"dependencies": packages})
    assert (audit.code(must_reach=False), audit.code(must_reach=True)) == (code, required)
    assert ("NOT AUDITED" in audit.told()) is (SKIPPED in packages)


def test_a_service_out_of_reach_is_told() -> None:
    """Where pip-audit wrote nothing at all."""
    assert "NOT AUDITED: all" in Audit().told()
    assert Audit().code(must_reach=True) == NOT_REACHED


def test_a_vulnerable_package_is_named_with_what_mends_it() -> None:
    """Name, version, ids, versions."""
    told = judged({"dependencies": [FOUND]}).told()
    assert "cffi 1.0: PYSEC-1; mended in 1.1, 1.2" in told


def test_what_is_audited_is_what_ships_and_what_builds_it() -> None:
    """The Dockerfile installs from no other lock."""
    used = set(re.findall(r"requirements/(\w+)\.txt", (ROOT / "Dockerfile").read_text("utf-8")))
    assert used <= {lock.stem for lock in LOCKS}


def test_what_is_installed_from_a_lock_is_the_lock_and_no_more() -> None:
    """Left to look for more, pip takes `coverage[toml]` for another package than `coverage`.

    It is content while the version in the lock is the newest, and breaks the day after.
    """
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    installs = [line for line in makefile.splitlines() if "--require-hashes" in line]
    assert len(installs) >= 4
    for each in installs:
        assert "--no-deps" in each
        assert "--only-binary :all:" in each


def test_the_public_ci_does_what_a_laptop_does() -> None:
    """Each step is an action pinned by commit, `.ci/run`, or a target of the Makefile."""
    targets = set(re.findall(r"(?m)^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8")))
    steps = [step for job in read(WORKFLOW)["jobs"].values() for step in job["steps"]]
    assert read(WORKFLOW)["permissions"] == {"contents": "read"}
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
        elif step["run"] != ".ci/run":
            assert step["run"].split()[0] == "make"
            assert step["run"].split()[1] in targets
    told = {step.get("run", "").split(" ARGS")[0] for step in steps}
    assert {".ci/run", "make deploy-check", "make sbom", "make audit"} <= told


@pytest.mark.long
@needs_audit
def test_the_list_of_packages_is_whole_valid_and_the_same_each_time(tmp_path: Path) -> None:
    """CycloneDX's own check, after what we add; every pin with its hashes and its licence."""
    document = sbom.listed(list(locked(IMAGE)))
    assert document == sbom.listed(list(locked(IMAGE)))
    assert "://" not in json.dumps(document["components"])
    told = {(each["name"], each["version"]) for each in document["components"]}
    assert told == {(pin.name, pin.version) for pin in locked(IMAGE)}
    for each in document["components"]:
        assert each["licenses"], each["name"]
        (place,) = each["externalReferences"]
        assert {one["alg"] for one in place["hashes"]} == {"SHA-256"}
    assert _valid(document, tmp_path)
    document["components"][0]["type"] = "thing"
    assert not _valid(document, tmp_path)


_VALIDATE: Final = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) is not None)
"""


def _valid(document: dict[str, Any], directory: Path) -> bool:
    path = directory / "sbom.json"
    path.write_text(json.dumps(document))
    command: list[str | Path] = [sbom.TOOLS / "python", "-c", _VALIDATE]
    with path.open() as file:
        done = subprocess.run(command, stdin=file, check=False, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.long
def test_the_workflow_fits_its_schema_and_gives_nothing_away(tmp_path: Path) -> None:
    """GitHub's schema; zizmor finds neither an unpinned action nor a right too many."""
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW)
    run("zizmor", "--offline", "--no-progress", WORKFLOW)
    bad = tmp_path / "bad.yml"
    text = re.sub(r"(?m)@[0-9a-f]{40}.*$", "@v7", WORKFLOW.read_text("utf-8"))
    bad.write_text(text)
    with pytest.raises(AssertionError, match="unpinned"):
        run("zizmor", "--offline", "--no-progress", bad)
