"""The command line as a whole."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.commands import Addresses, Commands, create_cli
from app.cli.key import new_key
from app.cli.latency import Asked, Comparison
from app.planner.sizing.plan import PtuPlan

CONFIG = """\
admin: {key: "${SPILLGATE_ADMIN_KEY}"}
deployments:
  a: {kind: paygo, endpoint: "http://localhost:1", model: gpt-4o, auth: {entra: {}}}
models: {m: {tiers: [[a]]}}
tenants: {t: {}}
"""


def _not_here(_: Asked) -> Comparison:
    raise AssertionError("has tests of its own")


def _nor_this(*_: object) -> PtuPlan:
    raise AssertionError("has tests of its own, too")


def _run(*arguments: str, started: list[object] | None = None) -> Result:
    """Run the command; what it starts is recorded and exits with 7."""
    record = started if started is not None else []

    def start(*given: object) -> int:
        record.append(given)
        return 7

    commands = Commands(
        environment=lambda: {"SPILLGATE_ADMIN_KEY": new_key()},
        compared=lambda settings: [f"compared: {', '.join(settings.tenants)}"],
        probed=lambda _: [],
        found=lambda _: [],
        demo=start,
        serve=start,
        simulate=start,
        latency=_not_here,
        planned=_nor_this,
    )
    return CliRunner().invoke(create_cli(commands), arguments)


def test_the_version_is_the_packages() -> None:
    """Alone on its line; nothing is started."""
    result = _run("--version")
    assert (result.exit_code, result.stdout) == (0, f"spillgate {version('spillgate')}\n")


def test_check_says_what_is_in_force_otherwise_and_exits_with_0(tmp_path: Path) -> None:
    """Below the summary; of a config with mistakes nothing is compared."""
    path = tmp_path / "a.yaml"
    path.write_text(CONFIG)
    result = _run("check", "--config", str(path))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == ["compared: t"]
    path.write_text(CONFIG.replace("[[a]]", "[[b]]"))
    result = _run("check", "--config", str(path))
    assert result.exit_code == 2
    assert "compared" not in result.stdout


def test_what_is_given_reaches_what_is_started() -> None:
    """And its exit code is the command's."""
    started: list[object] = []
    served = ("serve", "--config", "a.yaml", "--port", "0", "--admin-host", "::1")
    serve = (*served, "--workers", "2", "--simulate")
    assert _run(*serve, started=started).exit_code == 7
    assert _run("demo", "--no-traffic", "--port", "1", started=started).exit_code == 7
    assert _run("simulate", "--config", "a.yaml", "--port", "2", started=started).exit_code == 7
    assert started == [
        (Path("a.yaml"), Addresses(port=0, admin_host="::1", workers=2), True),
        (Addresses(port=1, admin_port=8081), False),
        (Path("a.yaml"), "127.0.0.1", 2),
    ]


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_a_mistake(port: str) -> None:
    """Before anything is started."""
    started: list[object] = []
    assert _run("demo", "--port", port, started=started).exit_code == 2
    assert started == []
