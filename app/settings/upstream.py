"""Sections about upstream deployments: where they are, how they are called and simulated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from app.settings.day import day
from app.settings.endpoint import endpoint_fault
from app.settings.section import (
    PARAMETER_PATTERN,
    Float,
    Int,
    Seconds,
    Secret,
    Section,
    Text,
)

# Scopes: Microsoft Entra ID for Azure OpenAI, API version lifecycle page, 2026-03.
_ENTRA_SCOPES: Final[Mapping[str, str]] = {
    "classic": "https://cognitiveservices.azure.com/.default",
    "v1": "https://ai.azure.com/.default",
}

Kind = Literal["ptu", "paygo"]
Api = Literal["classic", "v1", "openai"]


class Entra(Section):
    """Microsoft Entra ID; without `client_id` and `tenant_id` the default credential chain."""

    scope: Text | None = None
    """What a token is asked for; None: what the `api` needs."""
    client_id: Text | None = None
    """Application id of a managed identity or of a workload."""
    tenant_id: Text | None = None
    """The directory's id."""


class Auth(Section):
    """How a deployment is authenticated: exactly one of the two is set."""

    entra: Entra | None = None
    """By a token of Microsoft Entra ID; empty: the default credential chain."""
    api_key: Secret | None = None
    """By a key of the resource."""

    @model_validator(mode="before")
    @classmethod
    def _empty_entra_is_entra(cls, value: object) -> object:
        if isinstance(value, Mapping) and "entra" in value and value["entra"] is None:
            return {**value, "entra": {}}
        return value


class UpstreamTimeouts(Section):
    """Deadlines of one attempt, in seconds."""

    connect_s: Seconds = 2.0
    """Name, connection and TLS together."""
    first_byte_s: Seconds = 60.0
    """Until a stream's first content; an answer that does not stream has `total_s`."""
    idle_s: Seconds = 60.0
    """Silence within a stream or a body."""
    total_s: Annotated[Seconds, Field(le=1800)] = 600.0
    """The whole attempt, a stream's included."""


class Timeouts(UpstreamTimeouts):
    """Deadlines of every deployment that names no others, and of the gateway itself; seconds."""

    reasoning_silence_s: Seconds = 300.0
    """What `first_byte_s` and `idle_s` are at least, where the model reasons and the deployment
    does not set them itself."""
    header_s: Seconds = 10.0
    """From a client's connection, or a request's first byte, to its last header."""
    body_s: Seconds = 30.0
    """From a request's headers to the end of its body."""
    keep_alive_s: Seconds = 75.0
    """For how long a client's connection waits for another request."""
    write_stall_s: Seconds = 30.0
    """For how long a client may take nothing of its answer."""
    settle_s: Seconds = 2.0
    """For how long a request's account is waited for when it is settled, and at the end."""
    ping_s: Seconds = 15.0
    """Silence within a stream after which a comment keeps it alive."""
    drain_s: Seconds = 120.0
    """How long open streams may go on after the gateway was told to end."""
    drain_lag_s: Annotated[Float, Field(ge=0, le=600)] = 5.0
    """How long `/readyz` says no before new connections are refused."""


class DeploymentTimeouts(Section):
    """Deadlines of one deployment, in seconds; what is left out is taken from `timeouts`."""

    connect_s: Seconds | None = None
    first_byte_s: Seconds | None = None
    idle_s: Seconds | None = None
    total_s: Annotated[Seconds, Field(le=1800)] | None = None


_Milliseconds = Annotated[Float, Field(ge=0, le=600_000)]


class Simulator(Section):
    """How simulated deployments behave: first token and each further one in milliseconds."""

    seed: Int = 7
    """Of what is drawn at random."""
    ttft_ms: _Milliseconds = 120.0
    """Until the first token, in milliseconds."""
    tpot_ms: _Milliseconds = 12.0
    """Between two tokens, in milliseconds."""
    ptu_window_s: Seconds = 60.0
    """Depth of a simulated PTU's bucket in seconds of its capacity."""


class DeploymentSimulator(Section):
    """The simulator's settings for one deployment; what is left out is taken from `simulator`."""

    seed: Int | None = None
    ttft_ms: _Milliseconds | None = None
    tpot_ms: _Milliseconds | None = None
    ptu_window_s: Seconds | None = None


Parameter = Annotated[str, StringConstraints(pattern=PARAMETER_PATTERN)]


class Deployment(Section):
    """One upstream deployment. `name` is its key in the file."""

    name: str
    kind: Kind
    """`ptu` is provisioned throughput, `paygo` is paid by the token."""
    endpoint: Text
    """Without a trailing slash; `api: openai` includes the server's own `/v1`."""
    api: Api = "v1"
    """URL shape: `classic` with api-version, `v1` without; `openai` is any compatible server."""
    api_version: Text | None = None
    """Of `classic`: a date such as 2024-10-21. Of `v1`: v1 or preview."""
    deployment: Text
    """The upstream's name for it; by default its key here."""
    model: Text
    """Base model: decides price, tokeniser, PTU ratios and context window."""
    ptus: Annotated[Int, Field(ge=1, le=1_000_000)] | None = None
    """How many PTUs it has; needed with kind ptu."""
    tpm: Annotated[Int, Field(ge=1)] | None = None
    """Its quota of tokens a minute; None: not known."""
    rpm: Annotated[Int, Field(ge=1)] | None = None
    """Its quota of requests a minute; None: not known."""
    region: Text | None = None
    """Where it is, such as swedencentral."""
    data_zone: Text | None = None
    """Where it may process data, such as eu."""
    auth: Auth
    """How the gateway shows who it is."""
    context_window: Annotated[Int, Field(ge=1)] | None = None
    """Tokens of prompt and answer together; by default the model catalogue's."""
    refuses: Annotated[tuple[Parameter, ...], Field(max_length=100)] = ()
    """Parameters of a request's body that its model does not take, such as temperature."""
    retires: Annotated[date, BeforeValidator(day)] | None = None
    """The day from which on it does not answer any more, as Azure announced it."""
    timeouts: DeploymentTimeouts = DeploymentTimeouts()
    """Deadlines of its own."""
    simulator: DeploymentSimulator = DeploymentSimulator()
    """How it behaves when it is simulated."""

    @field_validator("endpoint")
    @classmethod
    def _callable_endpoint(cls, value: str) -> str:
        if fault := endpoint_fault(value):
            raise ValueError(fault)
        return value.rstrip("/")

    @property
    def entra_scope(self) -> str | None:
        """The scope to ask a token for, or None when Entra is not used."""
        if self.auth.entra is None:
            return None
        return self.auth.entra.scope or _ENTRA_SCOPES.get(self.api)
