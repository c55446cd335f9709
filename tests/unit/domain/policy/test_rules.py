"""Which input policy holds for a tenant, and how it is said and shown."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.policy.rules import (
    UNSAID,
    Action,
    Failure,
    Feature,
    InputPolicy,
    PatternRule,
    Role,
    SafetyRule,
    in_force,
    policy_of,
    said_by,
    section_of,
)

CARD = PatternRule("card", r"\d{16}", Action.BLOCK, (Role.USER,))
WHOLE = InputPolicy(
    action=Action.FLAG,
    max_body_bytes=1000,
    max_prompt_tokens=50,
    max_output_tokens=0,
    require_output_cap=True,
    forbidden=(Feature.TOOLS,),
    forbidden_parameters=("logit_bias",),
    allowed_parameters=(),
    patterns=(CARD,),
    content_safety=SafetyRule(Failure.OPEN, hate=4, prompt_shield=True, roles=(Role.USER,)),
)


def test_where_nobody_says_anything_nothing_holds() -> None:
    """None at all, so that a request is not looked at; nor by a rule that forbids nothing."""
    assert in_force(UNSAID, UNSAID) is None
    assert in_force(UNSAID, InputPolicy(action=Action.FLAG, forbidden=())) is None
    assert in_force(InputPolicy(require_output_cap=False), UNSAID) is None


@pytest.mark.parametrize("name", ["max_body_bytes", "max_prompt_tokens", "max_output_tokens"])
def test_a_limit_of_zero_is_a_limit(name: str) -> None:
    """As everywhere in the configuration."""
    limits: dict[str, Any] = {name: 0}
    held = in_force(UNSAID, InputPolicy(**limits))
    assert held is not None
    assert getattr(held, name) == 0


def test_a_tenants_word_stands_before_the_general_one() -> None:
    """Field by field; what it leaves unsaid is as for all."""
    general = InputPolicy(max_body_bytes=10, max_prompt_tokens=20, forbidden=(Feature.IMAGES,))
    own = InputPolicy(max_body_bytes=99, forbidden=())
    held = in_force(general, own)
    assert held is not None
    assert (held.max_body_bytes, held.max_prompt_tokens, held.forbidden) == (99, 20, ())


def test_patterns_add_up_unless_a_tenant_switches_one_off() -> None:
    """Or says another one of the same name."""
    other = PatternRule("other", "x", Action.FLAG)
    held = in_force(InputPolicy(patterns=(CARD,)), InputPolicy(patterns=(other,)))
    assert held is not None
    assert held.patterns == (CARD, other)
    mine = PatternRule("card", "x", Action.FLAG)
    held = in_force(InputPolicy(patterns=(CARD,)), InputPolicy(patterns=(mine,)))
    assert held is not None
    assert held.patterns == (mine,)
    off = PatternRule("card", "x", Action.OFF)
    assert in_force(InputPolicy(patterns=(CARD,)), InputPolicy(patterns=(off,))) is None


@pytest.mark.parametrize("policy", [UNSAID, WHOLE], ids=["nothing", "everything"])
def test_a_policy_is_its_section_and_back(policy: InputPolicy) -> None:
    """What the admin API shows can be sent again."""
    assert policy_of(section_of(policy)) == policy


def test_what_a_policy_says_can_be_shown_by_name() -> None:
    """As the differences of `spillgate check` have it."""
    assert said_by(UNSAID) == {}
    assert said_by(WHOLE) == {
        "action": "flag",
        "max_body_bytes": "1000",
        "max_prompt_tokens": "50",
        "max_output_tokens": "0",
        "require_output_cap": "true",
        "forbidden": "tools",
        "forbidden_parameters": "logit_bias",
        "allowed_parameters": "none",
        "patterns.card": r"block /\d{16}/ in user",
        "content_safety.action": "block",
        "content_safety.enabled": "true",
        "content_safety.failure": "open",
        "content_safety.hate": "4",
        "content_safety.prompt_shield": "true",
        "content_safety.roles": "user",
    }
