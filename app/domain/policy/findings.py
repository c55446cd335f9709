"""What input policies find in a request, and the words for it in every record."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from app.domain.policy.rules import Action


class PolicyKind(StrEnum):
    """What kind of rule was broken; a closed set, for metrics."""

    BODY_SIZE = "body_size"
    PROMPT_TOKENS = "prompt_tokens"
    OUTPUT_TOKENS = "output_tokens"
    FEATURE = "feature"
    PARAMETER = "parameter"
    PATTERN = "pattern"
    CONTENT_SAFETY = "content_safety"
    PROMPT_SHIELD = "prompt_shield"
    UNCHECKED = "unchecked"  # the classifier of content gave no verdict
    UNREADABLE = "unreadable"  # a prompt as token ids, which no pattern can be held against


class Finding(msgspec.Struct, frozen=True):
    """A rule that a request breaks: which one, where, and what comes of it.

    `name` is the setting's or the pattern's, `field` the place in the body. Neither holds a word
    of the request but the name of a parameter, which is shown to its caller alone.
    """

    kind: PolicyKind
    name: str
    action: Action
    field: str = ""
    why: str = ""  # told to the caller

    @property
    def text(self) -> str:
        """As records have it: `block pattern card-number`."""
        return f"{self.action} {self.kind} {self.name}"


def is_blocking(finding: Finding) -> bool:
    """Whether the request is refused."""
    return finding.action is Action.BLOCK
