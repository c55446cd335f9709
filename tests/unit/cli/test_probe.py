"""What `check --probe` prints and how it exits."""

from __future__ import annotations

from pathlib import Path

from app.cli.check import check
from app.planner.probing.finding import Finding, State
from app.settings import Settings

PLAIN = """\
admin: {key: long enough to be a key}
deployments:
  a: {kind: paygo, endpoint: "http://localhost:1", model: gpt-4o, auth: {entra: {}}}
models: {m: {tiers: [[a]]}}
tenants: {t: {}}
"""
GOOD = Finding("deployments.a", State.OK, "is there", 0.0841)
MEH = Finding("redis", State.WARNING, "is old")
BAD = Finding("deployments.b", State.FAILED, "is gone")


def test_findings_follow_the_summary(tmp_path: Path) -> None:
    """In their order; only what failed makes it a 1."""
    path = tmp_path / "a.yaml"
    path.write_text(PLAIN)

    def result(*found: Finding) -> tuple[int, tuple[str, ...]]:
        checked = check(path, {}, probe=lambda _: found)
        return checked.exit_code, checked.lines[1:]

    ok, warning = "ok: deployments.a: is there (84 ms)", "warning: redis: is old"
    assert result(GOOD, MEH) == (0, (ok, warning))
    assert result(BAD, GOOD) == (1, ("failed: deployments.b: is gone", ok))


def test_a_config_with_mistakes_is_not_probed(tmp_path: Path) -> None:
    """It could be anybody who is asked."""

    def probe(_: Settings) -> list[Finding]:
        raise AssertionError("it was")

    path = tmp_path / "a.yaml"
    path.write_text(PLAIN.replace("gpt-4o", "[]"))
    assert check(path, {}, probe=probe).exit_code == 2
