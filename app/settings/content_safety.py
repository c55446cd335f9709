"""Sections about Azure AI Content Safety: where it is, and what it must not find."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from app.settings.endpoint import endpoint_fault
from app.settings.section import Float, Int, Section, Text
from app.settings.upstream import Auth

_SCOPE: Final = "https://cognitiveservices.azure.com/.default"

Severity = Annotated[Int, Field(ge=1, le=7)]
_Role = Literal["system", "user", "assistant", "tool", "definition"]


class SafetyRules(Section):
    """From which severity on a category is found: 1 to 7, or 2, 4, 6 for low, medium, high."""

    enabled: bool = True
    """Whether texts are sent there."""
    failure: Literal["open", "closed"]
    """While there is no verdict: `open` lets requests pass, flagged; `closed` refuses them."""
    action: Literal["block", "flag"] = "block"
    """What happens where something is found."""
    hate: Severity | None = None
    """None: not looked at."""
    self_harm: Severity | None = None
    """None: not looked at."""
    sexual: Severity | None = None
    """None: not looked at."""
    violence: Severity | None = None
    """None: not looked at."""
    prompt_shield: bool = False
    """Whether attacks on a model's instructions are looked for."""
    roles: Annotated[tuple[_Role, ...], Field(min_length=1, max_length=5)] = ("user", "tool")
    """Whose texts are sent."""


class ContentSafety(Section):
    """A Content Safety resource. Rates and budgets are those of each worker."""

    endpoint: Text
    """Such as https://contoso-safety.cognitiveservices.azure.com."""
    api_version: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}(-preview)?$")] = (
        "2024-09-01"
    )
    """Of its REST API."""
    auth: Auth
    """How the gateway shows who it is."""
    timeout_ms: Annotated[Int, Field(ge=10, le=30_000)] = 1000
    """For how long a request waits for its verdict, all calls for it together."""
    calls_per_s: Annotated[Float, Field(gt=0, le=10_000)] = 50.0
    """Calls a second, of each worker; all tenants share them."""
    usd_per_day: Annotated[Float, Field(ge=0)] = 10.0
    """What a worker may spend in a day, UTC, for all tenants together."""
    tenant_part: Annotated[Float, Field(gt=0, le=1)] = 1.0
    """The part of both that one tenant may use: below 1 nobody uses up what others need."""
    usd_per_1000_records: Annotated[Float, Field(ge=0)] = 0.38
    """Price of a thousand text records, each of up to 1,000 characters."""

    @field_validator("endpoint")
    @classmethod
    def _callable_endpoint(cls, value: str) -> str:
        if fault := endpoint_fault(value):
            raise ValueError(fault)
        return value.rstrip("/")

    @property
    def entra_scope(self) -> str:
        """What a token is asked for."""
        return (self.auth.entra.scope if self.auth.entra else None) or _SCOPE
