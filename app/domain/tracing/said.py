"""What an answer says that receipts do not keep; for traces alone."""

from __future__ import annotations

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
