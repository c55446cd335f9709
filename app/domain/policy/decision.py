"""What rules find in a request: pure functions over values, the cheapest rules first.

Each gives its findings in the order in which they are told; the first that blocks is the refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

from app.domain.call.request import InferenceRequest, Operation, shown
from app.domain.policy.asked import Asked, Passage
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.policy.rules import Action, InputPolicy, PatternRule

#: Whether a pattern, by its name, matches a text in UTF-8.
Matches = Callable[[str, bytes], bool]

#: Every request has them: the model, what it reads, and the form of the answer.
_ALWAYS_ALLOWED: Final = frozenset(
    {"input", "instructions", "messages", "model", "prompt", "stream", "stream_options"}
)
#: As every name of a parameter is spelled, and as policies look for it. Readers that go by less
#: than the spelling (case, Unicode's folding) may take another one for it: those of Go and .NET do.
_SPELLED: Final = re.compile(r"[a-z_][a-z0-9_]*")
#: Parameters that are told of one request, of each rule: a body may have a million.
_MOST_TOLD: Final = 20
#: Names of an output's cap, as each API has it.
_CAP: Final[Mapping[Operation, str]] = {
    Operation.CHAT_COMPLETIONS: "max_completion_tokens",
    Operation.COMPLETIONS: "max_tokens",
    Operation.RESPONSES: "max_output_tokens",
}


def looks_into_body(policy: InputPolicy) -> bool:
    """Whether the body has to be read for it."""
    names = policy.allowed_parameters is not None or policy.forbidden_parameters
    safety = policy.content_safety
    is_checked = safety is not None and safety.is_on
    return bool(names or policy.forbidden or policy.patterns or is_checked)


def looks_at_names(policy: InputPolicy) -> bool:
    """Whether names of parameters matter: but for the bytes of a body, all rules go by them."""
    of_tokens = (policy.max_prompt_tokens, policy.max_output_tokens)
    is_limited = any(limit is not None for limit in of_tokens) or bool(policy.require_output_cap)
    return is_limited or looks_into_body(policy)


def size_findings(policy: InputPolicy, request: InferenceRequest) -> Iterator[Finding]:
    """Of rules that need nothing but what is read of every request."""
    action, most = policy.action or Action.BLOCK, policy.max_body_bytes
    if most is not None and len(request.body) > most:
        why = f"the body has {len(request.body)} bytes, {most} are allowed"
        yield Finding(PolicyKind.BODY_SIZE, "max_body_bytes", action, "", why)
    cap, field = request.output_cap, _CAP.get(request.operation)
    if field is None:  # nothing is generated
        return
    most = policy.max_output_tokens
    if cap is None and policy.require_output_cap:
        why = "the request must say how long the answer may be"
        yield Finding(PolicyKind.OUTPUT_TOKENS, "require_output_cap", action, field, why)
    if cap is not None and most is not None and cap > most:
        why = f"{cap} output tokens are asked for, {most} are allowed"
        yield Finding(PolicyKind.OUTPUT_TOKENS, "max_output_tokens", action, field, why)


def token_findings(policy: InputPolicy, prompt: int) -> Iterator[Finding]:
    """Of a prompt's length in tokens, as its model counts them."""
    most = policy.max_prompt_tokens
    if most is not None and prompt > most:
        why = f"the prompt has about {prompt} tokens, {most} are allowed"
        action = policy.action or Action.BLOCK
        yield Finding(PolicyKind.PROMPT_TOKENS, "max_prompt_tokens", action, "", why)


def body_findings(policy: InputPolicy, asked: Asked) -> Iterator[Finding]:
    """Of parameters and features."""
    yield from islice(_misspelled(policy, asked), _MOST_TOLD)
    yield from islice(_parameters(policy, asked), _MOST_TOLD)
    action = policy.action or Action.BLOCK
    for feature in policy.forbidden or ():
        if feature in asked.features:
            why = f"{feature.value} may not be used"
            field = asked.features[feature]
            yield Finding(PolicyKind.FEATURE, f"forbidden.{feature.value}", action, field, why)


def text_findings(policy: InputPolicy, asked: Asked, matches: Matches) -> Iterator[Finding]:
    """Of patterns, each with the first text that it matches."""
    actions = _of_texts(policy)
    if asked.unreadable and actions:
        blocks = Action.BLOCK in actions
        action, field = Action.BLOCK if blocks else Action.FLAG, asked.unreadable
        why = "token ids cannot be checked; send text"
        yield Finding(PolicyKind.UNREADABLE, "patterns", action, field, why)
    for rule in policy.patterns:
        found = next(_matching(rule, asked.passages, matches), None)
        if found is not None:
            why = "its text is not allowed"
            yield Finding(PolicyKind.PATTERN, rule.name, rule.action, found.field, why)


def _matching(
    rule: PatternRule, passages: tuple[Passage, ...], matches: Matches
) -> Iterator[Passage]:
    for passage in passages:
        if (not rule.roles or passage.role in rule.roles) and matches(rule.name, passage.text):
            yield passage


def _of_texts(policy: InputPolicy) -> set[Action]:
    """What comes of texts, by pattern or by classifier."""
    safety = policy.content_safety
    checks = {safety.action} if safety is not None and safety.is_on else set()
    return checks | {rule.action for rule in policy.patterns}


def _misspelled(policy: InputPolicy, asked: Asked) -> Iterator[Finding]:
    """What a rule would not find under such a name is as bad as the worst that it could find."""
    blocks = Action.BLOCK in {policy.action or Action.BLOCK, *_of_texts(policy)}
    action = Action.BLOCK if blocks else Action.FLAG
    for name in asked.parameters:
        if _SPELLED.fullmatch(name) is None:
            why = "names of parameters have lower-case letters, digits and underscores alone"
            field = shown(name)
            yield Finding(PolicyKind.PARAMETER, "parameter_spelling", action, field, why)


def _parameters(policy: InputPolicy, asked: Asked) -> Iterator[Finding]:
    """Names are compared without case, for those that are misspelled and only flagged."""
    action, forbidden = policy.action or Action.BLOCK, policy.forbidden_parameters or ()
    for name in asked.parameters:
        if name.lower() in forbidden:
            why = "this parameter is forbidden"
            yield Finding(PolicyKind.PARAMETER, "forbidden_parameters", action, shown(name), why)
    if policy.allowed_parameters is None:
        return
    allowed = _ALWAYS_ALLOWED.union(policy.allowed_parameters)
    for name in asked.parameters:
        if name.lower() not in allowed:
            why = "this parameter is not among those that are allowed"
            yield Finding(PolicyKind.PARAMETER, "allowed_parameters", action, shown(name), why)
