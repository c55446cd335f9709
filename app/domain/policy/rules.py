"""Input policies as rules: what is said in one place, and what holds where several speak."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final

from app.settings.content_safety import SafetyRules as SafetySection
from app.settings.policy import InputPolicyRules
from app.settings.policy import PatternRule as PatternSection


class Action(StrEnum):
    """What happens where a rule is broken."""

    BLOCK = "block"  # the request is refused
    FLAG = "flag"  # it passes, and the records of it say so
    OFF = "off"  # of a pattern: a general one does not hold for this tenant


class Feature(StrEnum):
    """What a request may make use of; a closed set, found in the body by `app.wire.asked`."""

    TOOLS = "tools"
    HOSTED_TOOLS = "hosted_tools"
    WEB_SEARCH = "web_search"
    LOGPROBS = "logprobs"
    SEVERAL_ANSWERS = "several_answers"
    IMAGES = "images"
    FILES = "files"
    AUDIO = "audio"
    STORE = "store"
    BACKGROUND = "background"


class Role(StrEnum):
    """Who speaks in a text of the prompt."""

    SYSTEM = "system"  # developer, too, and instructions
    USER = "user"
    ASSISTANT = "assistant"  # its calls of tools, too
    TOOL = "tool"  # what tools have answered
    DEFINITION = "definition"  # of tools and of the answer's form


@dataclass(frozen=True, slots=True)
class PatternRule:
    """An RE2 pattern and what happens where it matches; no roles are all of them."""

    name: str
    pattern: str
    action: Action = Action.BLOCK
    roles: tuple[Role, ...] = ()


class Failure(StrEnum):
    """What holds while a classifier of content gives no verdict."""

    OPEN = "open"  # requests pass, and are flagged
    CLOSED = "closed"  # they are refused, with 503


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """What a classifier of content must not find; from which severity on, None: whatever."""

    failure: Failure
    enabled: bool = True
    action: Action = Action.BLOCK
    hate: int | None = None
    self_harm: int | None = None
    sexual: int | None = None
    violence: int | None = None
    prompt_shield: bool = False
    roles: tuple[Role, ...] = (Role.USER, Role.TOOL)

    @property
    def analyzes(self) -> bool:
        """Whether any category is looked at."""
        named = (self.hate, self.self_harm, self.sexual, self.violence)
        return any(severity is not None for severity in named)

    @property
    def is_on(self) -> bool:
        """Whether anything is asked at all."""
        return self.enabled and (self.analyzes or self.prompt_shield)


@dataclass(frozen=True, slots=True)
class InputPolicy:
    """What one place says: the configuration of all tenants, or one tenant. None is unsaid."""

    action: Action | None = None  # of all but patterns
    max_body_bytes: int | None = None
    max_prompt_tokens: int | None = None
    max_output_tokens: int | None = None
    require_output_cap: bool | None = None
    forbidden: tuple[Feature, ...] | None = None
    forbidden_parameters: tuple[str, ...] | None = None
    allowed_parameters: tuple[str, ...] | None = None
    patterns: tuple[PatternRule, ...] = ()
    content_safety: SafetyRule | None = None


#: Nothing is said.
UNSAID: Final = InputPolicy()


def in_force(general: InputPolicy, own: InputPolicy) -> InputPolicy | None:
    """What holds for a tenant: its own word stands before the general one; None: nothing.

    Patterns add up. Of two with the same name the tenant's holds; one that is off is none.
    """
    said: dict[str, Any] = {}
    for field in fields(InputPolicy):
        mine = getattr(own, field.name)
        said[field.name] = getattr(general, field.name) if mine is None else mine
    patterns = {rule.name: rule for rule in (*general.patterns, *own.patterns)}
    said["patterns"] = tuple(rule for rule in patterns.values() if rule.action is not Action.OFF)
    held = InputPolicy(**said)
    return held if _rules_anything(held) else None


def _rules_anything(policy: InputPolicy) -> bool:
    """Zero is a limit, and an empty list of what is allowed is a rule; other empty ones are not."""
    limits = (policy.max_body_bytes, policy.max_prompt_tokens, policy.max_output_tokens)
    lists = (policy.forbidden, policy.forbidden_parameters, policy.patterns)
    is_limited = any(limit is not None for limit in (*limits, policy.allowed_parameters))
    is_checked = policy.content_safety is not None and policy.content_safety.is_on
    return is_limited or is_checked or any(lists) or bool(policy.require_output_cap)


def policy_of(section: InputPolicyRules) -> InputPolicy:
    """What a section of the configuration says."""
    patterns = tuple(
        PatternRule(name, rule.pattern, Action(rule.action), tuple(map(Role, rule.roles)))
        for name, rule in section.patterns.items()
    )
    said = section.model_dump(exclude={"patterns", "content_safety"})
    forbidden, action = said.pop("forbidden"), said.pop("action")
    return InputPolicy(
        **said,
        action=None if action is None else Action(action),
        forbidden=None if forbidden is None else tuple(map(Feature, forbidden)),
        patterns=patterns,
        content_safety=_safety_of(section.content_safety),
    )


def _safety_of(section: SafetySection | None) -> SafetyRule | None:
    if section is None:
        return None
    said = section.model_dump()
    closed = {
        "failure": Failure(said["failure"]),
        "action": Action(said["action"]),
        "roles": tuple(map(Role, said["roles"])),
    }
    return SafetyRule(**{**said, **closed})


def section_of(policy: InputPolicy) -> InputPolicyRules:
    """The section that says the same."""
    said = {field.name: getattr(policy, field.name) for field in fields(InputPolicy)}
    said["patterns"] = {
        rule.name: PatternSection(pattern=rule.pattern, action=rule.action, roles=rule.roles)
        for rule in policy.patterns
    }
    if policy.content_safety is not None:
        said["content_safety"] = SafetySection(**asdict(policy.content_safety))
    return InputPolicyRules(**said)


def said_by(policy: InputPolicy) -> dict[str, str]:
    """What a policy says, by the names of the configuration, as text to be compared and shown."""
    said = section_of(policy).model_dump(mode="json", exclude_none=True)
    patterns, safety = said.pop("patterns"), said.pop("content_safety", {})
    said |= {f"content_safety.{name}": value for name, value in safety.items()}
    plain = {name: _text(value) for name, value in said.items()}
    return plain | {f"patterns.{name}": _of_pattern(rule) for name, rule in patterns.items()}


def _of_pattern(rule: dict[str, Any]) -> str:
    """`block /PATTERN/ in user`."""
    roles = f" in {', '.join(rule['roles'])}" if rule["roles"] else ""
    return f"{rule['action']} /{rule['pattern']}/{roles}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
