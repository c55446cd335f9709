"""`spillgate init`, from arguments to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.cli.init import KEY_VARIABLE, MANAGEMENT, Login, Resource, add_init
from app.cli.key import new_key
from app.planner.drafting.found import Found, NotTold
from app.settings import load

EAST = "https://contoso-east.openai.azure.com"
PTU = Found(EAST, "gpt-4o-ptu", "gpt-4o", "ptu", ptus=50)
BATCH = Found(EAST, "nightly", "gpt-4o", "paygo", note="batches are not served")
NAMED = ("--endpoint", EAST, "--deployment", "gpt-4o-ptu=gpt-4o,ptu=50", "--deployment", "gpt-4o")


def nobody(_: Login | Resource) -> list[Found]:
    raise AssertionError("nobody is to be asked")


class Azure:
    """Tells of what it was given, and keeps who asked."""

    def __init__(self, *found: Found) -> None:
        self._found = found
        self.asked: list[Login | Resource] = []

    def __call__(self, asked: Login | Resource) -> Sequence[Found]:
        self.asked.append(asked)
        return self._found


def run(
    *arguments: str, find: Azure | None = None, environment: Mapping[str, str] | None = None
) -> Result:
    cli = typer.Typer()
    add_init(cli, lambda: environment or {}, find or nobody)
    return CliRunner().invoke(cli, arguments)


def test_what_is_typed_becomes_a_config(tmp_path: Path) -> None:
    """Which loads; what to export and to run next is said, and no file is for others to read."""
    path = tmp_path / "a.yaml"
    result = run(*NAMED, "--output", str(path))
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        f"Written: {path}. Next:",
        "  export SPILLGATE_ADMIN_KEY=$(spillgate key new)",
        "  export FIRST_TEAM_KEY=$(spillgate key new)",
        f"  export {KEY_VARIABLE}=…",
        f"  spillgate check --config {path} --probe",
        f"  spillgate serve --config {path}",
    ]
    keys = {name: new_key() for name in ("SPILLGATE_ADMIN_KEY", "FIRST_TEAM_KEY", KEY_VARIABLE)}
    assert set(load(path, keys).deployments) == {"gpt-4o-ptu", "gpt-4o"}
    assert path.stat().st_mode & 0o077 == 0


def test_that_editors_are_told_of_the_schema_beside_it(tmp_path: Path) -> None:
    """A first line names it, where it is; standard output may go anywhere."""
    (tmp_path / "spillgate.schema.json").write_text("{}")
    path = tmp_path / "a.yaml"
    assert run(*NAMED, "--output", str(path)).exit_code == 0
    line, rest = path.read_text("utf-8").split("\n", 1)
    assert line == "# yaml-language-server: $schema=./spillgate.schema.json"
    assert run(*NAMED, "--output", "-").stdout == rest


def test_that_a_config_is_not_lost(tmp_path: Path) -> None:
    """What is there stays, unless it may go."""
    path = tmp_path / "a.yaml"
    path.write_text("mine")
    result = run(*NAMED, "--output", str(path))
    assert (result.exit_code, path.read_text()) == (2, "mine")
    assert "is there already" in result.stderr
    assert run(*NAMED, "--output", str(path), "--force").exit_code == 0
    assert path.read_text() != "mine"


def test_a_resource_is_asked_with_its_key() -> None:
    """Where no deployment is named; standard output has the config alone, and never the key."""
    azure = Azure(PTU)
    environment = {"EAST_KEY": "a-secret"}
    given = ("--endpoint", f"{EAST}/", "--key-variable", "EAST_KEY", "--output", "-")
    result = run(*given, find=azure, environment=environment)
    assert azure.asked == [Resource(EAST, "a-secret")]
    assert result.stdout.startswith("# A first config")
    assert '"${EAST_KEY}"' in result.stdout
    assert "a-secret" not in result.stdout + result.stderr
    assert "a-secret" not in repr(azure.asked)


def test_a_login_needs_no_keys() -> None:
    """Deployments are asked with tokens; sovereign clouds have a manager of their own."""
    azure = Azure(PTU, BATCH)
    result = run("--login", "--output", "-", find=azure)
    assert azure.asked == [Login(None, MANAGEMENT)]
    assert "auth: {entra: {}}" in result.stdout
    assert "# Not here: nightly" in result.stdout
    china = "https://management.chinacloudapi.cn"
    run("--login", "--subscription", "s", "--management", f"{china}/", "--output", "-", find=azure)
    assert azure.asked[-1] == Login("s", china)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give either --login, or --endpoint"),
        (("--login", "--endpoint", EAST), "give either --login, or --endpoint"),
        (("--endpoint", "http://contoso.example"), "--endpoint must be https"),
        (("--endpoint", EAST), f"export the resource's key in {KEY_VARIABLE}"),
        (("--endpoint", EAST, "--deployment", "a,ptus=3"), "--deployment: 'a,ptus=3'"),
        ((*NAMED, "--key-variable", "a-b"), "--key-variable: 'a-b'"),
        ((*NAMED, "--output", "/nowhere/at/all"), "/nowhere/at/all: No such file"),
    ],
)
def test_each_mistake_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    """Exit 2, and nobody was asked."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_that_nothing_to_serve_is_a_mistake() -> None:
    """With the reasons, if there are any."""
    assert "no deployment to write about\n" in run("--login", find=Azure()).stderr
    assert "(nightly: batches are not served)" in run("--login", find=Azure(BATCH)).stderr


def test_that_azure_may_not_tell() -> None:
    """Its words, and exit 1."""

    class Mute(Azure):
        def __call__(self, asked: Login | Resource) -> Sequence[Found]:
            raise NotTold("it answered 403")

    result = run("--login", find=Mute())
    assert (result.exit_code, result.stderr) == (1, "it answered 403\n")
