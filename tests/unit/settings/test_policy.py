"""Input policies in the configuration: what is accepted, and which mistake is told where."""

from __future__ import annotations

from typing import Any

import pytest

from app.settings import ConfigProblems, build
from app.settings.patterns import MOST_CHARS, MOST_PATTERNS, UnusablePattern, search_of

AZURE = {"endpoint": "https://x.openai.azure.com", "model": "gpt-4o", "kind": "paygo"}


def built(policy: dict[str, Any]) -> Any:
    return build(
        {
            "deployments": {"d": AZURE | {"auth": {"api_key": "x"}}},
            "models": {"gpt-4o": {"tiers": [["d"]]}},
            "policy": {"max_prompt_tokens": 5},
            "tenants": {"team": {"policy": policy}},
        }
    )


def wrong(policy: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        built(policy)
    return [f"{each.path}: {each.message}" for each in caught.value.problems]


def test_a_policy_is_read_in_general_and_of_a_tenant() -> None:
    """Names of parameters are kept in lower case, as they are compared."""
    settings = built({"forbidden_parameters": ["Logit_Bias"], "patterns": {"p": {"pattern": "x"}}})
    own = settings.tenants["team"].policy
    assert settings.policy.max_prompt_tokens == 5
    assert (own.forbidden_parameters, own.patterns["p"].action) == (("logit_bias",), "block")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("canary(", "missing )"),
        (r"(canary)\1", "invalid escape sequence"),
        ("(?=canary)", "invalid perl operator"),
        ("(?:x{1000}){1000}", "invalid repetition size"),
    ],
)
def test_a_pattern_that_re2_refuses_is_named_with_its_place(pattern: str, reason: str) -> None:
    """Which one, and why; the pattern itself may be somebody's secret and is not repeated."""
    (told,) = wrong({"patterns": {"good": {"pattern": "x"}, "cards": {"pattern": pattern}}})
    assert told.startswith("tenants.team.policy.patterns.cards.pattern: is no RE2 pattern (")
    assert reason in told
    assert "canary" not in told


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"patterns": {"p": {"pattern": ""}}}, "patterns.p.pattern: must not be empty"),
        (
            {"patterns": {"p": {"pattern": "x" * (MOST_CHARS + 1)}}},
            f"patterns.p.pattern: must have at most {MOST_CHARS} characters",
        ),
        (
            {"patterns": {f"p{n}": {"pattern": "x"} for n in range(MOST_PATTERNS + 1)}},
            f"patterns: must have at most {MOST_PATTERNS} entries",
        ),
        (
            {"patterns": {"p": {"pattern": "x", "action": "deny"}}},
            "patterns.p.action: must be block, flag or off",
        ),
        ({"forbidden": ["tool"]}, "forbidden[0]: must be "),
        ({"max_prompt_tokens": -1}, "max_prompt_tokens: must be at least 0"),
        ({"max_prompt_token": 1}, "max_prompt_token: unknown key; did you mean max_prompt_tokens?"),
        ({"forbidden_parameters": ["a b"]}, "forbidden_parameters[0]: must be a parameter"),
    ],
)
def test_mistakes_are_told_where_they_are(policy: dict[str, Any], told: str) -> None:
    """By path, as everywhere in the configuration."""
    (found,) = wrong(policy)
    assert found.startswith(f"tenants.team.policy.{told}")


def test_texts_can_only_be_checked_where_it_is_said_where() -> None:
    """And what holds without a verdict must be said: there is no answer that suits all."""
    (told,) = wrong({"content_safety": {"failure": "open", "hate": 2}})
    assert told.startswith("tenants.team.policy.content_safety: needs the section content_safety")
    assert wrong({"content_safety": {"hate": 2, "violence": 9}})[0] == (
        "tenants.team.policy.content_safety: needs the section content_safety, which says where "
        "texts are checked"
    )
    built({"content_safety": {"failure": "open", "enabled": False}})


def test_a_pattern_takes_time_in_proportion_to_the_text() -> None:
    """One that would take a backtracking engine longer than the universe is old."""
    search = search_of("(a|aa)+$")
    assert not search(b"a" * 20_000 + b"b")


def test_text_is_matched_as_characters() -> None:
    """Not as bytes: a dot is one letter, whichever."""
    assert search_of("^.$")("ß".encode())
    assert search_of(r"(?i)straßE")("STRAßE".encode())


def test_a_refusal_of_a_pattern_holds_nothing_of_it() -> None:
    """It stands in logs and answers of the admin API."""
    with pytest.raises(UnusablePattern) as caught:
        search_of("[z-a]canary")
    assert "canary" not in repr(caught.value)
