"""What operators have said of deployments, applied to where a request may go."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.spill import SpillReason
from app.domain.identity.directory import DeploymentEntry, Directory
from app.domain.routing.deployment import Target
from app.domain.routing.operations import operated, operation_differences
from app.domain.routing.route import NEVER, Absence, Choices
from app.settings import build

POLICY = SpillReason.POLICY
ELSEWHERE = Absence("eu", 1, POLICY, NEVER)
CHOICES = Choices(((Target("ptu", 2.0),), (Target("a"), Target("b"))), (ELSEWHERE,))


def said(*entries: DeploymentEntry) -> dict[str, DeploymentEntry]:
    return {entry.name: entry for entry in entries}


def test_without_a_word_everything_is_as_configured() -> None:
    """The same object: it costs a request nothing. So do words on other deployments and models."""
    others = said(DeploymentEntry("elsewhere", draining=True))
    assert operated(CHOICES, "m", {}) is operated(CHOICES, "m", others) is CHOICES
    assert operated(CHOICES, "m", said(DeploymentEntry("a", weights={"n": 9.0}))) == CHOICES


def test_a_draining_deployment_is_absent_by_policy() -> None:
    """For good, as far as this request is concerned; the others keep their tiers."""
    found = operated(CHOICES, "m", said(DeploymentEntry("ptu", draining=True)))
    assert found.names == ((), ("a", "b"))
    assert found.absences == (ELSEWHERE, Absence("ptu", 0, POLICY, NEVER))


def test_a_weight_stands_in_place_of_the_configured_one() -> None:
    """For its model, and nobody else's."""
    found = operated(CHOICES, "m", said(DeploymentEntry("a", weights={"m": 3.0, "n": 9.0})))
    assert found.tiers == ((Target("ptu", 2.0),), (Target("a", 3.0), Target("b")))
    assert found.absences == CHOICES.absences


@given(st.sets(st.sampled_from(["ptu", "a", "b"])))
def test_everybody_is_either_a_choice_or_absent(draining: set[str]) -> None:
    """Whoever is drained: nobody is lost, nobody is there twice."""
    found = operated(
        CHOICES, "m", said(*(DeploymentEntry(name, draining=True) for name in draining))
    )
    absent = {absence.deployment for absence in found.absences} - {"eu"}
    assert absent == draining
    assert set(found.deployments) == {"ptu", "a", "b"} - draining
    assert len(found.tiers) == 2


def test_the_differences_from_the_configuration_are_named() -> None:
    """What is as configured, or of deployments that are gone, is none."""
    deployment: dict[str, Any] = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    settings = build(
        {
            "deployments": {"a": deployment, "b": deployment},
            "models": {"gpt-4o": {"tiers": [{"a": 3, "b": 1}]}, "latest": {"alias": "gpt-4o"}},
        }
    )
    entries = said(
        DeploymentEntry("a", draining=True, weights={"gpt-4o": 3.0}),
        DeploymentEntry("b", weights={"gpt-4o": 0.5, "latest": 2.0, "gone": 2.0}),
        DeploymentEntry("gone", draining=True),
    )
    assert list(operation_differences(settings, Directory(1, deployments=entries))) == [
        "deployments.a: draining",
        "models.gpt-4o.tiers: b has weight 0.5 in force, not 1",
        "models.latest.tiers: b has weight 2 in force, not 1",
    ]
