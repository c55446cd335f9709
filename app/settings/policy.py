"""The section about what tenants may ask for: in general, and of one tenant."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.settings.content_safety import SafetyRules
from app.settings.patterns import MOST_CHARS, MOST_PATTERNS, UnusablePattern, search_of
from app.settings.section import PARAMETER_PATTERN, Int, Name, Section

#: More than any context window.
_MOST_TOKENS: Final = 100_000_000

RuleAction = Literal["block", "flag"]
PatternAction = Literal["block", "flag", "off"]
Feature = Literal[
    "tools",
    "hosted_tools",
    "web_search",
    "logprobs",
    "several_answers",
    "images",
    "files",
    "audio",
    "store",
    "background",
]
Role = Literal["system", "user", "assistant", "tool", "definition"]
_Tokens = Annotated[Int, Field(ge=0, le=_MOST_TOKENS)]


def _usable(pattern: str) -> str:
    try:
        search_of(pattern)
    except UnusablePattern as error:
        raise PydanticCustomError("policy_pattern", "{fault}", {"fault": str(error)}) from None
    return pattern


def _lower(name: str) -> str:
    return name.lower()


Pattern = Annotated[
    str, StringConstraints(min_length=1, max_length=MOST_CHARS), AfterValidator(_usable)
]
_Parameters = Annotated[
    tuple[
        Annotated[str, StringConstraints(pattern=PARAMETER_PATTERN), AfterValidator(_lower)], ...
    ],
    Field(max_length=200),
]


class PatternRule(Section):
    """An RE2 pattern, and what happens where a text of the prompt matches it."""

    pattern: Pattern
    """In RE2's syntax, such as `(?i)project\\s+x`; it matches anywhere in a text."""
    action: PatternAction = "block"
    """`flag` lets the request pass and records it; `off`: a general one does not hold here."""
    roles: Annotated[tuple[Role, ...], Field(max_length=5)] = ()
    """Whose texts are looked at; none named: all."""


class InputPolicyRules(Section):
    """What requests may ask for. What a tenant says stands in place of what `policy:` says.

    Patterns add up: of two with the same name the tenant's holds.
    """

    action: RuleAction | None = None
    """What happens where a rule other than a pattern is broken; unsaid: block."""
    max_body_bytes: Annotated[Int, Field(ge=0, le=1 << 30)] | None = None
    """Of a request."""
    max_prompt_tokens: _Tokens | None = None
    """Tokens of a prompt, as its model counts them."""
    max_output_tokens: _Tokens | None = None
    """The most that a request may ask for."""
    require_output_cap: bool | None = None
    """Whether a request must say how long its answer may be."""
    forbidden: Annotated[tuple[Feature, ...], Field(max_length=20)] | None = None
    """What may not be used."""
    forbidden_parameters: _Parameters | None = None
    """Members of a request's body that may not be there, such as logit_bias."""
    allowed_parameters: _Parameters | None = None
    """The only members that may be there, beside the model, the prompt and `stream`."""
    patterns: Annotated[dict[Name, PatternRule], Field(max_length=MOST_PATTERNS)] = Field(
        default_factory=dict
    )
    """Patterns over the texts of a prompt, by name."""
    content_safety: SafetyRules | None = None
    """What Azure AI Content Safety must not find; `content_safety:` says where it is."""
