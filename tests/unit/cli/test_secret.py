"""`spillgate secret`: keys made, secrets sealed, all of it under a newer key; none is printed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.cli.secret import secret_commands
from app.cli.session import Surroundings
from app.settings import load
from app.settings.sealed import MasterKey, MasterKeys

OLD, NEW = MasterKey.of(b"o" * 32), MasterKey.of(b"n" * 32)
EAST, WEST = "deployments.east.auth.api_key", "deployments.west.auth.api_key"

CONFIG = """\
# who may read this file may not read the secrets in it
secrets: {{master_keys: [{names}]}}
deployments:
  east: {{kind: paygo, endpoint: "https://x.openai.azure.com", model: gpt-4o,
         auth: {{api_key: {east}}}}}   # rotated in spring
  west: {{kind: paygo, endpoint: "https://x.openai.azure.com", model: gpt-4o,
         auth: {{api_key: '{west}'}}}}
models: {{gpt-4o: {{tiers: [[east, west]]}}}}
"""


@dataclass
class Desk:
    """A config, and who works on it."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, east: str, west: str = "plain", names: str = '"${OLD}"') -> None:
        self.environment |= {"OLD": OLD.text, "NEW": NEW.text}
        self.path.write_text(CONFIG.format(east=east, west=west, names=names))

    def run(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        cli = typer.Typer(pretty_exceptions_enable=False)
        cli.add_typer(secret_commands(), name="secret")
        obj = Surroundings(lambda: self.environment)
        result = CliRunner().invoke(
            cli, ["secret", *arguments], input=given, obj=obj, catch_exceptions=False
        )
        return result.exit_code, result.stdout, result.stderr

    def keys(self) -> tuple[str, str]:
        """What the gateway would be given."""
        found = load(self.path, self.environment).deployments
        secrets = [found[name].auth.api_key for name in ("east", "west")]
        return tuple(each.get_secret_value() for each in secrets if each)  # type: ignore[return-value]  # two


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "spillgate.yaml")


def sealed(secret: str, record: str = EAST, key: MasterKey = OLD) -> str:
    return MasterKeys([key]).seal(secret, record, os.urandom)


def test_a_master_key_is_alone_on_standard_output(desk: Desk) -> None:
    """So that a file or a vault gets it and nothing else."""
    code, out, told = desk.run("new-key")
    key = MasterKey.parse(out.strip())
    assert (code, key.id in told, key.text in told) == (0, True, False)


@pytest.mark.parametrize("way", ["standard input", "a file"])
def test_a_secret_is_sealed_and_works(desk: Desk, way: str, tmp_path: Path) -> None:
    """With the newest key; what is printed goes into the config as it is."""
    desk.write("x", names='"${NEW}", "${OLD}"')
    (tmp_path / "key").write_text("the-canary\n")
    source = ["--from", str(tmp_path / "key")] if way == "a file" else []
    code, out, told = desk.run(
        "seal", "--config", str(desk.path), "--record", EAST, *source, given="the-canary\n"
    )
    assert (code, told) == (0, "")
    assert out.startswith(f"sealed:v1:{NEW.id}:")
    desk.write(out.strip(), names='"${NEW}"')
    assert desk.keys() == ("the-canary", "plain")


@pytest.mark.parametrize(
    ("record", "given", "names", "told"),
    [
        ("deployments.east.endpoint", "x", '"${OLD}"', "no secret is kept there"),
        (EAST, "", '"${OLD}"', "there is no secret"),
        (EAST, "x" * 20_000, '"${OLD}"', "more than 16384 bytes"),
        (EAST, "canary", "", f"{EAST}: there is no master key"),
    ],
)
def test_what_cannot_be_sealed_is_a_mistake(
    desk: Desk, record: str, given: str, names: str, told: str
) -> None:
    """Exit code 2, and nothing of the secret."""
    desk.write("x", names=names)
    arguments = ("seal", "--config", str(desk.path), "--record", record)
    code, out, said = desk.run(*arguments, given=given)
    assert (code, out) == (2, "")
    assert told in said
    assert "canary" not in said


def test_rotation_wraps_all_of_it_anew_and_changes_nothing_else(desk: Desk) -> None:
    """Comments, quotes, order and mode stay; afterwards the old key is not needed."""
    desk.write(sealed("one"), sealed("two", WEST), names='"${NEW}", "${OLD}"')
    desk.path.chmod(0o640)
    before = desk.path.read_text()
    code, out, told = desk.run("rotate", "--config", str(desk.path))
    assert (code, told) == (0, "")
    assert out == f"{EAST}: wrapped anew\n{WEST}: wrapped anew\n"
    after = desk.path.read_text()
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o640
    assert OLD.id not in after
    assert [line for line in after.splitlines() if "sealed" not in line] == [
        line for line in before.splitlines() if "sealed" not in line
    ]
    assert "# rotated in spring" in after
    desk.environment["OLD"] = NEW.text
    assert desk.keys() == ("one", "two")
    assert desk.run("rotate", "--config", str(desk.path))[2].startswith("nothing to do")


def test_a_rotation_that_cannot_be_whole_changes_nothing(desk: Desk) -> None:
    """One value was moved: it is named, and the file is as it was."""
    desk.write(sealed("one"), sealed("two", EAST), names='"${NEW}", "${OLD}"')
    before = desk.path.read_bytes()
    code, out, told = desk.run("rotate", "--config", str(desk.path))
    assert (code, out) == (2, "")
    assert f"{WEST}: does not open: it was sealed for another place" in told
    assert desk.path.read_bytes() == before


def test_what_is_in_a_variable_is_named_and_left(desk: Desk) -> None:
    """The file cannot be changed where it does not stand."""
    desk.environment["EAST"] = sealed("one")
    desk.write('"${EAST}"', sealed("two", WEST), names='"${NEW}", "${OLD}"')
    code, out, told = desk.run("rotate", "--config", str(desk.path))
    assert (code, out) == (0, f"{WEST}: wrapped anew\n")
    assert told == f"{EAST}: not in this file: seal it anew where it is\n"


def test_a_link_stays_a_link(desk: Desk, tmp_path: Path) -> None:
    """What it leads to is replaced."""
    desk.write(sealed("one"), names='"${NEW}", "${OLD}"')
    link = tmp_path / "link.yaml"
    link.symlink_to(desk.path)
    assert desk.run("rotate", "--config", str(link))[0] == 0
    assert link.is_symlink()
    assert NEW.id in desk.path.read_text()


def test_verify_says_of_each_whether_it_opens(desk: Desk) -> None:
    """And with which key; 2 where one does not."""
    desk.write(sealed("one"), sealed("two", WEST, NEW))
    code, out, _ = desk.run("verify", "--config", str(desk.path))
    assert code == 2
    assert out.splitlines() == [
        f"{EAST}: opens with {OLD.id}",
        f"{WEST}: is sealed with the master key {NEW.id}, which is not there",
    ]
    desk.write(sealed("one"), sealed("two", WEST))
    assert desk.run("verify", "--config", str(desk.path))[0] == 0
    desk.write("x")
    assert desk.run("verify", "--config", str(desk.path))[2] == "nothing is sealed\n"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_no_config_is_a_mistake(desk: Desk, content: bytes) -> None:
    """Told with its name."""
    desk.path.write_bytes(content)
    code, out, told = desk.run("verify", "--config", str(desk.path))
    assert (code, out) == (2, "")
    assert told.startswith(str(desk.path))
    desk.path.unlink()
    assert "cannot be read" in desk.run("verify", "--config", str(desk.path))[2]
