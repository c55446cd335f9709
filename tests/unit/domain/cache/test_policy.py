"""What a configuration, a model and a tenant say of the caches, and what it comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.cache.policy import (
    OFF,
    UNSAID,
    CacheRule,
    ExactRule,
    Policies,
    SemanticRule,
    policy_of,
    rule_of,
    said_by,
    section_of,
)
from app.settings import CacheRules

ON = CacheRule(exact=ExactRule(enabled=True))
REFUSED = CacheRule(exact=ExactRule(enabled=False))
_RULES = st.builds(
    CacheRule,
    exact=st.builds(
        ExactRule,
        enabled=st.none() | st.booleans(),
        ttl_s=st.none() | st.floats(1, 3600),
    ),
    semantic=st.builds(
        SemanticRule,
        enabled=st.none() | st.booleans(),
        threshold=st.none() | st.floats(0.01, 0.5),
        shadow=st.none() | st.booleans(),
        min_prompt_chars=st.none() | st.integers(1, 100),
    ),
    coalesce=st.none() | st.booleans(),
)


def test_nobody_says_anything() -> None:
    """Both caches are off."""
    assert policy_of(UNSAID, UNSAID, UNSAID) == OFF
    assert not OFF.is_on


def test_enabled_in_general_is_enough() -> None:
    """No other word is needed."""
    assert policy_of(ON, UNSAID, UNSAID).exact.enabled


def test_a_tenants_word_stands_before_the_general_one() -> None:
    """It opts in, and it opts out."""
    assert policy_of(REFUSED, UNSAID, ON).exact.enabled
    assert not policy_of(ON, UNSAID, REFUSED).exact.enabled


def test_a_model_and_a_tenant_can_each_refuse() -> None:
    """Neither switches on what the other has switched off."""
    assert not policy_of(ON, REFUSED, ON).exact.enabled
    assert not policy_of(ON, ON, REFUSED).exact.enabled


@given(_RULES, _RULES, _RULES)
def test_model_and_tenant_count_alike(general: CacheRule, one: CacheRule, other: CacheRule) -> None:
    """It does not matter which of them says what."""
    assert policy_of(general, one, other) == policy_of(general, other, one)


@given(_RULES, _RULES)
def test_a_tenant_only_gets_what_its_model_allows(model: CacheRule, tenant: CacheRule) -> None:
    """Whatever both have a word on is the stricter of the two."""
    alone = policy_of(UNSAID, model, UNSAID).semantic
    both = policy_of(UNSAID, model, tenant).semantic
    if model.semantic.threshold is not None and both.threshold is not None:
        assert both.threshold <= model.semantic.threshold
    if model.semantic.enabled is False:
        assert not both.enabled
    if model.semantic.shadow is not None:
        assert both.shadow >= alone.shadow
    if model.semantic.min_prompt_chars is not None:
        assert both.min_prompt_chars >= model.semantic.min_prompt_chars


def test_a_section_says_what_a_rule_says() -> None:
    """Nothing is lost on the way from the configuration to the admin API."""
    section = CacheRules.model_validate(
        {"exact": {"enabled": True, "ttl": 60}, "semantic": {"threshold": 0.1}, "coalesce": False}
    )
    assert section_of(rule_of(section)) == section
    assert said_by(rule_of(section)) == {
        "exact.enabled": True,
        "exact.ttl": 60.0,
        "semantic.threshold": 0.1,
        "coalesce": False,
    }


def test_a_configurations_policies_are_made_once() -> None:
    """For each model and each rule that a tenant has; they are what the rules come to."""
    models = {"a": UNSAID, "b": CacheRule(coalesce=False)}
    policies = Policies(ON, models)
    for tenant in (UNSAID, CacheRule(exact=ExactRule(enabled=False))):
        for model, rule in models.items():
            made = policies.of(model, tenant)
            assert made == policy_of(ON, rule, tenant)
            assert policies.of(model, tenant) is made
    with pytest.raises(KeyError):
        policies.of("c", UNSAID)
