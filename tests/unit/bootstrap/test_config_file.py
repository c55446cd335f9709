"""A file that another process has read."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.bootstrap.config_file import HandedFile
from app.settings import ConfigProblems, Settings

CONTENT = b"""\
admin: {key: long enough to be a key}
deployments:
  a: {kind: paygo, endpoint: "http://localhost:1", model: gpt-4o, auth: {api_key: "${file:secret}"}}
models: {m: {tiers: [[a]]}}
"""


class Followed:
    """What was put in force."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []

    async def reload(self, settings: Settings) -> None:
        self.settings.append(settings)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where something else is by now."""
    (tmp_path / "secret").write_text("k")
    path = tmp_path / "spillgate.yaml"
    path.write_text("models: [")
    return path


def test_it_says_what_it_said(place: Path) -> None:
    """Whatever stands in its place; files that it names are beside it."""
    file = HandedFile(place, CONTENT)
    key = file.load().deployments["a"].auth.api_key
    assert key is not None
    assert key.get_secret_value() == "k"
    assert file.in_force.digest == sha256(CONTENT).digest()


def test_its_mistakes_have_their_place(place: Path) -> None:
    """In the file by its name."""
    with pytest.raises(ConfigProblems) as raised:
        HandedFile(place, CONTENT.replace(b"[[a]]", b"[[b]]")).load()
    assert f"{place}:4:" in str(raised.value.problems[0])


async def test_what_is_handed_later_is_put_in_force_or_not_at_all(place: Path) -> None:
    """What is in force is what says it is."""
    file, followed = HandedFile(place, CONTENT), Followed()
    file.load()
    file.handed = CONTENT.replace(b"models: {m", b"models: {n")
    await file.reload(followed)
    assert [*followed.settings[-1].models] == ["n"]
    in_force = file.in_force.content
    assert (in_force, file.in_force.is_last) == (file.handed, True)
    (place.parent / "secret").unlink()
    with capture_logs() as logs:
        await file.reload(followed)
    assert (file.in_force.content, file.in_force.is_last) == (in_force, False)
    assert [log["event"] for log in logs] == ["config not reloaded"]
    assert len(followed.settings) == 1
