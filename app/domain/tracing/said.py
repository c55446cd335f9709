"""What an answer says that receipts do not keep; for traces alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What an answer says about itself; empty where it says nothing."""

    id: str = ""
    model: str = ""
    finish_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """Prompt and answer as JSON in the form of OpenTelemetry's messages; redacted, cut."""

    input: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """`content` None: the tenant did not ask for it."""

    facts: AnswerFacts = AnswerFacts()
    content: Content | None = None


NOTHING_SAID = Said()


def rewritten(said: Said, text: Callable[[str], str]) -> Said:
    """The same with every text as `text` makes it of what it was."""
    facts, content = said.facts, said.content
    reasons = tuple(map(text, facts.finish_reasons))
    if content is not None:
        content = Content(text(content.input), text(content.output))
    return Said(AnswerFacts(text(facts.id), text(facts.model), reasons), content)
