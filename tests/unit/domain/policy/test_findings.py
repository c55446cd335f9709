"""What was found, as records have it."""

from __future__ import annotations

import pytest

from app.domain.policy.findings import Finding, PolicyKind, is_blocking
from app.domain.policy.rules import Action


@pytest.mark.parametrize("action", [Action.BLOCK, Action.FLAG])
def test_a_finding_is_told_by_closed_words_and_the_rules_name(action: Action) -> None:
    """Neither its field nor its reason, which may have a word of the request's."""
    found = Finding(PolicyKind.PARAMETER, "allowed_parameters", action, "my_own", "because")
    assert found.text == f"{action.value} parameter allowed_parameters"
    assert is_blocking(found) is (action is Action.BLOCK)
