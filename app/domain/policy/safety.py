"""What a classifier of content is asked about a prompt, and what its verdict comes to.

Severities and limits are those of Azure AI Content Safety (REST API 2024-09-01): 0 to 7 in each of
four categories; 10,000 characters of text in one call, and as many of a prompt and its documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.domain.policy.asked import Passage
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.policy.rules import Action, Failure, Role, SafetyRule

#: Of one call, in characters (Unicode code points).
MOST_CHARS: Final = 10_000
#: What a text that is cut has twice, so that nothing is hidden by where the cut falls.
OVERLAP: Final = 200
#: Of one request, in characters: thirty calls and some. What is longer counts as not checked.
MOST_OF_REQUEST: Final = 300_000


class Category(StrEnum):
    """Of harm."""

    HATE = "hate"
    SELF_HARM = "self_harm"
    SEXUAL = "sexual"
    VIOLENCE = "violence"


class Unchecked(StrEnum):
    """Why there is no verdict; a closed set."""

    TIMEOUT = "timeout"
    THROTTLED = "throttled"  # it asked to be left alone
    RATE = "rate"  # our own calls per second are used up
    BUDGET = "budget"  # our own dollars of the day are used up
    UNAVAILABLE = "unavailable"  # it failed again and again, and is left alone
    ERROR = "error"  # it could not be reached, or refused
    MALFORMED = "malformed"  # what it answered says nothing
    TOO_LONG = "too_long"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class SafetyTexts:
    """What is to be looked at, in pieces that one call takes: what people wrote, what tools did."""

    prompts: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def chars(self) -> int:
        """All of it."""
        return sum(map(len, (*self.prompts, *self.documents)))


@dataclass(frozen=True, slots=True)
class SafetyVerdict:
    """The worst severity of each category; `unchecked`: a part, or all, was not looked at."""

    severities: Mapping[Category, int] = field(default_factory=dict)
    attacked: bool = False
    unchecked: Unchecked | None = None


def texts_of(rule: SafetyRule, passages: Iterable[Passage]) -> SafetyTexts:
    """The texts of the rule's roles; those of one kind together, for a call costs by the call."""
    found: dict[bool, list[str]] = {False: [], True: []}
    for passage in passages:
        if passage.role in rule.roles:
            found[passage.role is Role.TOOL].append(passage.text.decode())
    return SafetyTexts(*(tuple(_pieces("\n".join(texts))) for texts in found.values()))


def _pieces(text: str) -> Iterator[str]:
    step = MOST_CHARS - OVERLAP
    if text.strip():
        yield from (
            text[at : at + MOST_CHARS] for at in range(0, max(1, len(text) - OVERLAP), step)
        )


def safety_findings(rule: SafetyRule, verdict: SafetyVerdict) -> Iterator[Finding]:
    """What is wrong with the texts; then, where not all was looked at, the failure policy."""
    for category, severity in verdict.severities.items():
        most = getattr(rule, category.value)
        if most is not None and severity >= most:
            name = f"content_safety.{category.value}"
            why = f"its text is not allowed ({category.value.replace('_', ' ')})"
            yield Finding(PolicyKind.CONTENT_SAFETY, name, rule.action, "", why)
    if verdict.attacked and rule.prompt_shield:
        why = "it looks like an attack on the model's instructions"
        yield Finding(
            PolicyKind.PROMPT_SHIELD, "content_safety.prompt_shield", rule.action, "", why
        )
    if verdict.unchecked is not None:
        action = Action.BLOCK if rule.failure is Failure.CLOSED else Action.FLAG
        name = f"content_safety.{verdict.unchecked.value}"
        yield Finding(PolicyKind.UNCHECKED, name, action, "", "its text could not be checked")
