"""What rules find in a request: pure functions, so each rule by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.domain.call.request import InferenceRequest
from app.domain.policy.asked import Asked, Passage
from app.domain.policy.decision import (
    body_findings,
    looks_at_names,
    looks_into_body,
    size_findings,
    text_findings,
    token_findings,
)
from app.domain.policy.findings import Finding, PolicyKind, is_blocking
from app.domain.policy.rules import Action, Feature, InputPolicy, PatternRule, Role
from app.wire.routes import match

CHAT = InferenceRequest(match("POST", "/v1/chat/completions", ""), "m", b"x" * 10)
EMBEDDING = replace(CHAT, route=match("POST", "/v1/embeddings", ""))


def names(findings: object) -> list[str]:
    return [each.name for each in findings]  # type: ignore[attr-defined]  # an iterable of them


@given(size=st.integers(0, 50), most=st.integers(0, 50))
def test_a_body_is_too_large_from_one_byte_over(size: int, most: int) -> None:
    """Exactly as many as are allowed pass."""
    request = replace(CHAT, body=b"x" * size)
    found = list(size_findings(InputPolicy(max_body_bytes=most), request))
    assert bool(found) is (size > most)


@pytest.mark.parametrize(
    ("cap", "most", "required", "found"),
    [
        (100, 100, False, []),
        (101, 100, False, ["max_output_tokens"]),
        (None, 100, False, []),
        (None, 100, True, ["require_output_cap"]),
        (None, None, True, ["require_output_cap"]),
        (5, None, True, []),
    ],
)
def test_output_that_is_asked_for(
    cap: int | None, most: int | None, *, required: bool, found: list[str]
) -> None:
    """Over the most, or unsaid where it must be said; an embedding has no output."""
    policy = InputPolicy(max_output_tokens=most, require_output_cap=required)
    assert names(size_findings(policy, replace(CHAT, output_cap=cap))) == found
    assert names(size_findings(policy, replace(EMBEDDING, output_cap=cap))) == []


def test_a_long_prompt_is_found_by_its_tokens() -> None:
    """And told with both numbers."""
    (found,) = token_findings(InputPolicy(max_prompt_tokens=10), 11)
    assert (found.kind, found.action) == (PolicyKind.PROMPT_TOKENS, Action.BLOCK)
    assert "11" in found.why
    assert "10" in found.why
    assert list(token_findings(InputPolicy(max_prompt_tokens=10), 10)) == []


def test_parameters_are_compared_without_case() -> None:
    """A reader upstream may do so, too; that one is spelled otherwise is told as well."""
    asked = Asked(parameters=("model", "messages", "Logit_Bias", "seed"))
    for policy in (
        InputPolicy(action=Action.FLAG, forbidden_parameters=("logit_bias",)),
        InputPolicy(action=Action.FLAG, allowed_parameters=("seed",)),
    ):
        found = list(body_findings(policy, asked))
        assert [each.field for each in found] == ["Logit_Bias", "Logit_Bias"]
        assert not any(map(is_blocking, found))


@pytest.mark.parametrize(
    "name",
    ["Messages", "MODEL", "mes\u017fages", "toolChoice", "n ", "messages\n", "max-tokens", ""],
)
def test_another_spelling_is_refused(name: str) -> None:
    """Nothing is looked at under such a name; a reader upstream may take it for another one."""
    asked = Asked(parameters=("model", "messages", "max_tokens", "x_2", name))
    (found,) = body_findings(InputPolicy(forbidden=(Feature.TOOLS,)), asked)
    assert (found.kind, found.name) == (PolicyKind.PARAMETER, "parameter_spelling")
    assert (found.field, found.action) == (name, Action.BLOCK)


@pytest.mark.parametrize(
    ("own", "pattern", "action"),
    [
        (Action.FLAG, Action.FLAG, Action.FLAG),
        (Action.FLAG, Action.BLOCK, Action.BLOCK),
        (None, Action.FLAG, Action.BLOCK),
    ],
)
def test_another_spelling_is_as_bad_as_the_worst_rule(
    own: Action | None, pattern: Action, action: Action
) -> None:
    """A rule that blocks could have found something there."""
    policy = InputPolicy(action=own, patterns=(PatternRule("p", "x", pattern),))
    (found,) = body_findings(policy, Asked(parameters=("Messages",)))
    assert found.action is action


def test_a_parameter_that_looks_like_a_credential_is_not_shown() -> None:
    """Somebody put a key where a name belongs."""
    key = "sk-" + "a" * 40
    found = list(body_findings(InputPolicy(allowed_parameters=()), Asked(parameters=(key,))))
    assert len(found) == 2
    assert key not in repr(found)


def test_a_body_full_of_wrong_names_has_a_few_findings() -> None:
    """Each is in every record of the request, where rules only flag."""
    asked = Asked(parameters=tuple(f"N{number}" for number in range(1000)))
    policy = InputPolicy(action=Action.FLAG, allowed_parameters=())
    assert len(list(body_findings(policy, asked))) == 40


def test_features_are_found_where_they_are_forbidden() -> None:
    """The field is told that asks for it."""
    asked = Asked(features={Feature.TOOLS: "functions", Feature.IMAGES: "messages[1]"})
    policy = InputPolicy(forbidden=(Feature.IMAGES, Feature.STORE), action=Action.FLAG)
    (found,) = body_findings(policy, asked)
    why = "images may not be used"
    assert found == Finding(PolicyKind.FEATURE, "forbidden.images", Action.FLAG, "messages[1]", why)
    assert not is_blocking(found)


def test_a_pattern_is_found_once_with_the_first_text() -> None:
    """Of roles that it is meant for; nothing of the text is kept."""
    passages = (
        Passage(Role.SYSTEM, "messages[0]", b"secret"),
        Passage(Role.USER, "messages[1]", b"a secret"),
        Passage(Role.USER, "messages[2]", b"a secret"),
    )
    users = PatternRule("s", "secret", Action.BLOCK, (Role.USER,))
    everybody = PatternRule("t", "secret", Action.FLAG)
    policy = InputPolicy(patterns=(users, everybody))
    found = list(text_findings(policy, Asked(passages=passages), lambda _, text: b"secret" in text))
    assert [(each.name, each.field) for each in found] == [
        ("s", "messages[1]"),
        ("t", "messages[0]"),
    ]
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("actions", "action"),
    [((Action.FLAG,), Action.FLAG), ((Action.FLAG, Action.BLOCK), Action.BLOCK)],
)
def test_token_ids_are_as_bad_as_the_worst_pattern(
    actions: tuple[Action, ...], action: Action
) -> None:
    """Text that nobody can read would otherwise be the way around every pattern."""
    patterns = tuple(PatternRule(str(n), "x", each) for n, each in enumerate(actions))
    asked = Asked(unreadable="input")
    (found,) = text_findings(InputPolicy(patterns=patterns), asked, lambda _, __: False)
    assert (found.kind, found.field, found.action) == (PolicyKind.UNREADABLE, "input", action)


def test_a_body_is_only_read_for_rules_that_need_it() -> None:
    """Sizes and token counts do not."""
    sizes = InputPolicy(max_body_bytes=1, max_prompt_tokens=1)
    assert not looks_into_body(sizes)
    assert looks_at_names(sizes)
    assert not looks_at_names(InputPolicy(max_body_bytes=1))
    assert looks_into_body(InputPolicy(allowed_parameters=()))
    assert looks_into_body(InputPolicy(forbidden=(Feature.TOOLS,)))
    assert looks_into_body(InputPolicy(patterns=(PatternRule("p", "x"),)))
