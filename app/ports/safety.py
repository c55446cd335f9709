"""A classifier of content, as the stages ask it."""

from __future__ import annotations

from typing import Protocol

from app.domain.policy.rules import SafetyRule
from app.domain.policy.safety import SafetyTexts, SafetyVerdict


class ContentSafety(Protocol):
    """Looks at texts before a model does."""

    async def check(self, texts: SafetyTexts, rule: SafetyRule, tenant: str) -> SafetyVerdict:
        """What it finds in a tenant's texts, within its own time-out. Never raises."""
        ...
