"""The check command."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from app.cli.check import check
from app.cli.key import new_key

EXAMPLE = Path(__file__).parents[3] / "examples" / "spillgate.yaml"
PLAIN = """\
admin: {key: long enough to be a key}
deployments:
  a: {kind: paygo, endpoint: "http://localhost:1", model: gpt-4o, auth: {entra: {}}}
models: {m: {tiers: [[a]]}}
tenants: {t: {}}
"""


def test_a_good_configuration_is_one_line(tmp_path: Path) -> None:
    """Counts are said in singular and plural."""
    path = tmp_path / "a.yaml"
    path.write_text(PLAIN)
    result = check(path, {})
    assert result.exit_code == 0
    assert result.lines == (f"{path}: ok: 1 deployment, 1 model, 1 tenant",)


def test_warnings_follow_and_do_not_fail(tmp_path: Path) -> None:
    """What is not enforced, not known or not reachable is said."""
    path = tmp_path / "a.yaml"
    guesses = "its prices and PTU ratios are guesses"
    path.write_text(
        PLAIN.replace("gpt-4o", "mistral-x")
        .replace("admin: {key: long enough to be a key}\n", "")
        .replace("t: {}", "t: {cache: {exact: {enabled: true}}, data_zones: [us]}")
        + "listen: {workers: 2}\n"
    )
    result = check(path, {}, cpus=lambda: 1)
    assert result.exit_code == 0
    assert result.lines[1:] == (
        "warning: listen.workers: 2 workers, more than there are CPUs here: 1",
        "warning: tenants.t.data_zones: no deployment is in us",
        "warning: tenants.t: its data zones, regions and spill policy leave no deployment of m",
        f"warning: deployments.a.model: not in the model catalogue; {guesses}",
        "warning: admin.key: not given, and `serve` does not start without it",
    )


def test_workers_for_each_cpu_are_no_warning(tmp_path: Path) -> None:
    """As many as there are, or fewer."""
    path = tmp_path / "a.yaml"
    path.write_text(PLAIN + "listen: {workers: 2}\n")
    assert check(path, {}, cpus=lambda: 2).lines[1:] == ()


def test_an_embedding_model_as_ptu_is_a_warning(tmp_path: Path) -> None:
    """Azure sells none, but a configuration may know better."""
    path = tmp_path / "a.yaml"
    ptu = PLAIN.replace("kind: paygo", "kind: ptu, ptus: 1")
    path.write_text(ptu.replace("gpt-4o", "text-embedding-3-small"))
    assert check(path, {}).lines[1:] == (
        "warning: deployments.a.model: the model catalogue knows no PTU size for it",
    )


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (date(2026, 10, 1), []),
        (
            date(2026, 10, 2),
            ["in 90 days, on 2026-12-31: give its models another deployment before"],
        ),
        (
            date(2026, 12, 30),
            ["in 1 day, on 2026-12-31: give its models another deployment before"],
        ),
        (date(2026, 12, 31), ["RETIRED on 2026-12-31: give its models another deployment now"]),
        (date(2027, 5, 1), ["RETIRED on 2026-12-31: give its models another deployment now"]),
    ],
)
def test_a_retirement_is_a_warning_from_90_days_before(
    tmp_path: Path, today: date, said: list[str]
) -> None:
    """It grows louder, and never makes a configuration wrong: the others still serve."""
    path = tmp_path / "a.yaml"
    path.write_text(PLAIN.replace("model: gpt-4o", "model: gpt-4o, retires: 2026-12-31"))
    result = check(path, {}, today=lambda: today)
    assert result.exit_code == 0
    assert list(result.lines[1:]) == [f"warning: deployments.a.retires: {each}" for each in said]


def test_mistakes_are_listed_by_place_with_exit_code_2(tmp_path: Path) -> None:
    """The environment's come last."""
    path = tmp_path / "a.yaml"
    path.write_text(PLAIN.replace("[[a]]", "[[b]]").replace("paygo", "payg"))
    result = check(path, {"SPILLGATE__NONE": "1"})
    assert result.exit_code == 2
    assert result.lines == (
        f"{path}:3:13: deployments.a.kind: must be ptu or paygo; did you mean paygo?",
        f"{path}:4:23: models.m.tiers[0][0]: unknown deployment b",
        "environment: SPILLGATE__NONE: the configuration has no such key",
    )


def test_the_example_passes_with_its_environment_and_says_what_it_needs_without() -> None:
    """The example that people copy is correct, and asks for exactly the variables it names."""
    needed = ("SPILLGATE_ADMIN_KEY", "SWEDEN_KEY", "SEARCH_TEAM_KEY", "REPORTS_KEY")
    result = check(EXAMPLE, {name: new_key() for name in needed})
    assert result.lines == (f"{EXAMPLE}: ok: 4 deployments, 2 models, 2 tenants",)
    without = "\n".join(check(EXAMPLE, {}).lines)
    assert all(f"variable {name} is not set" in without for name in needed)
    assert len(without.splitlines()) == len(needed)
