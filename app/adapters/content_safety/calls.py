"""Calls of Azure AI Content Safety's REST API (2024-09-01) as bytes out and values in.

`text:analyze` gives a severity for each category, `text:shieldPrompt` says whether a prompt, or a
document in it, attacks the model's instructions. Source: its REST reference, 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from math import ceil
from typing import Final

import msgspec

from app.domain.policy.rules import SafetyRule
from app.domain.policy.safety import Category, SafetyTexts, SafetyVerdict

#: Of a text record, by which it is priced, in characters (its pricing page, 2026-11).
_RECORD_CHARS: Final = 1000
_NAMES: Final[Mapping[Category, str]] = {
    Category.HATE: "Hate",
    Category.SELF_HARM: "SelfHarm",
    Category.SEXUAL: "Sexual",
    Category.VIOLENCE: "Violence",
}
_CATEGORIES: Final = {name: category for category, name in _NAMES.items()}


class SafetyCall(msgspec.Struct, frozen=True):
    """One call: the operation's path, its body, and how many text records it is priced as."""

    path: str
    body: bytes
    records: int


class _Severity(msgspec.Struct):
    category: str
    severity: int


class _Analysis(msgspec.Struct):
    categories: list[_Severity] = msgspec.field(name="categoriesAnalysis")


class _Attack(msgspec.Struct):
    detected: bool = msgspec.field(name="attackDetected")


class _Shield(msgspec.Struct):
    prompt: _Attack | None = msgspec.field(name="userPromptAnalysis", default=None)
    documents: list[_Attack] | None = msgspec.field(name="documentsAnalysis", default=None)


class MalformedVerdict(ValueError):
    """An answer that says nothing of what was asked; it is not repeated."""


def calls_of(texts: SafetyTexts, rule: SafetyRule) -> Iterator[SafetyCall]:
    """Every call that a verdict takes."""
    if rule.analyzes:
        wanted = [name for each, name in _NAMES.items() if getattr(rule, each.value) is not None]
        for text in (*texts.prompts, *texts.documents):
            body = {"text": text, "categories": wanted, "outputType": "EightSeverityLevels"}
            yield SafetyCall("text:analyze", msgspec.json.encode(body), _records(text))
    if rule.prompt_shield:
        for prompt, document in zip_longest(texts.prompts, texts.documents, fillvalue=""):
            given = {"userPrompt": prompt, "documents": [document] if document else []}
            body = {name: value for name, value in given.items() if value}
            records = _records(prompt) + _records(document)
            yield SafetyCall("text:shieldPrompt", msgspec.json.encode(body), records)


def verdict_of(call: SafetyCall, answer: bytes) -> SafetyVerdict:
    """What an answer says. Raises MalformedVerdict."""
    try:
        if call.path == "text:analyze":
            return _analysis(msgspec.json.decode(answer, type=_Analysis))
        return _shield(msgspec.json.decode(answer, type=_Shield))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MalformedVerdict(call.path) from None


def worst(verdicts: list[SafetyVerdict]) -> SafetyVerdict:
    """The worst of each, of several pieces."""
    severities: dict[Category, int] = {}
    for verdict in verdicts:
        for category, severity in verdict.severities.items():
            severities[category] = max(severity, severities.get(category, 0))
    unchecked = next((each.unchecked for each in verdicts if each.unchecked), None)
    return SafetyVerdict(severities, any(each.attacked for each in verdicts), unchecked)


def _analysis(found: _Analysis) -> SafetyVerdict:
    known = {
        _CATEGORIES[each.category]: each.severity
        for each in found.categories
        if each.category in _CATEGORIES
    }
    if not known:
        raise MalformedVerdict("text:analyze")
    return SafetyVerdict(known)


def _shield(found: _Shield) -> SafetyVerdict:
    if found.prompt is None and not found.documents:
        raise MalformedVerdict("text:shieldPrompt")
    attacks = [*(found.documents or ()), *([found.prompt] if found.prompt else [])]
    return SafetyVerdict(attacked=any(each.detected for each in attacks))


def _records(text: str) -> int:
    return ceil(len(text) / _RECORD_CHARS)
