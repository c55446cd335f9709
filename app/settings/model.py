"""The configuration as frozen values: what `spillgate serve` is given.

Build one with `load` (a file) or `build` (a mapping): these also apply the rules between fields
and sections, which the classes alone do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from app.settings.endpoint import endpoint_fault
from app.settings.tiers import WeightedTarget, normalised_tiers

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

SPILL_FORMS: Final = "must be allow, deny or a mapping with usd_per_day"

# Scopes: Microsoft Entra ID for Azure OpenAI, API version lifecycle page, 2026-03.
_ENTRA_SCOPES: Final[Mapping[str, str]] = {
    "classic": "https://cognitiveservices.azure.com/.default",
    "v1": "https://ai.azure.com/.default",
}

Kind = Literal["ptu", "paygo"]
Api = Literal["classic", "v1", "openai"]
RequestClass = Literal["critical", "interactive", "standard", "batch"]
RedisLoss = Literal["local_share", "fail_closed", "fail_open"]


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        msg = "must be a number"
        raise ValueError(msg)  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    return value


_Number = BeforeValidator(_not_a_boolean)
Int = Annotated[int, _Number]
Float = Annotated[float, _Number, Field(allow_inf_nan=False)]
Seconds = Annotated[Float, Field(gt=0, le=86_400)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f]+$")]
Secret = Annotated[SecretStr, Field(min_length=1)]
Port = Annotated[Int, Field(ge=0, le=65_535)]


class Section(BaseModel):
    """A mapping of the file: frozen, without unknown keys; a key left empty counts as absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if item is not None}


class Tls(Section):
    """Certificate and private key of a listener, both PEM files."""

    cert: Text
    key: Text


class Listen(Section):
    """Where the data plane and the admin plane listen; port 0 takes a free one."""

    host: Text = "127.0.0.1"
    port: Port = 8080
    admin_host: Text = "127.0.0.1"
    admin_port: Port = 8081
    workers: Annotated[Int, Field(ge=1, le=256)] = 1
    tls: Tls | None = None
    admin_tls: Tls | None = None
    trusted_proxies: tuple[Text, ...] = ()
    """Addresses or networks whose forwarded headers are believed; none by default."""


class Redis(Section):
    """Redis endpoints; URLs are secrets because they may hold a password."""

    url: Secret
    cache_url: Secret | None = None
    """A second endpoint for the cache, whose evictions must not reach the quotas."""
    cluster: bool = False

    @field_validator("url", "cache_url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            msg = "must begin with redis://, rediss:// or unix://"
            raise ValueError(msg)
        return value


class Ledger(Section):
    """The durable copy of what Redis holds."""

    archive: Text = "./.spillgate/ledger"
    retention_days: Annotated[Int, Field(ge=1, le=3660)] = 400


class Admin(Section):
    """The owner's key; without one the admin API refuses everybody."""

    key: Annotated[SecretStr, Field(min_length=8)]


class Keys(Section):
    """How tenants' keys are stored; a pepper left out is made once, in Redis."""

    pepper: Secret | None = None


class Entra(Section):
    """Microsoft Entra ID; without `client_id` and `tenant_id` the default credential chain."""

    scope: Text | None = None
    client_id: Text | None = None
    tenant_id: Text | None = None


class Auth(Section):
    """How a deployment is authenticated: exactly one of the two is set."""

    entra: Entra | None = None
    api_key: Secret | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_entra_is_entra(cls, value: object) -> object:
        if isinstance(value, Mapping) and "entra" in value and value["entra"] is None:
            return {**value, "entra": {}}
        return value


class UpstreamTimeouts(Section):
    """Deadlines of one attempt, in seconds."""

    connect_s: Seconds = 2.0
    tls_s: Seconds = 3.0
    first_byte_s: Seconds = 60.0
    idle_s: Seconds = 60.0
    total_s: Annotated[Seconds, Field(le=1800)] = 600.0


class Timeouts(UpstreamTimeouts):
    """Deadlines of every deployment that names no others, and of the gateway itself; seconds."""

    header_s: Seconds = 10.0
    body_s: Seconds = 30.0
    keep_alive_s: Seconds = 75.0
    write_stall_s: Seconds = 30.0
    settle_s: Seconds = 2.0
    ping_s: Seconds = 15.0
    """Silence within a stream after which a comment keeps it alive."""
    drain_s: Seconds = 120.0
    """How long open streams may go on after the gateway was told to end."""
    drain_lag_s: Annotated[Float, Field(ge=0, le=600)] = 5.0
    """How long `/readyz` says no before new connections are refused."""


class DeploymentTimeouts(Section):
    """Deadlines of one deployment, in seconds; what is left out is taken from `timeouts`."""

    connect_s: Seconds | None = None
    tls_s: Seconds | None = None
    first_byte_s: Seconds | None = None
    idle_s: Seconds | None = None
    total_s: Annotated[Seconds, Field(le=1800)] | None = None


_Milliseconds = Annotated[Float, Field(ge=0, le=600_000)]


class Simulator(Section):
    """How simulated deployments behave: first token and each further one in milliseconds."""

    seed: Int = 7
    ttft_ms: _Milliseconds = 120.0
    tpot_ms: _Milliseconds = 12.0
    ptu_window_s: Seconds = 60.0
    """Depth of a simulated PTU's bucket in seconds of its capacity."""


class DeploymentSimulator(Section):
    """The simulator's settings for one deployment; what is left out is taken from `simulator`."""

    seed: Int | None = None
    ttft_ms: _Milliseconds | None = None
    tpot_ms: _Milliseconds | None = None
    ptu_window_s: Seconds | None = None


class Deployment(Section):
    """One upstream deployment. `name` is its key in the file."""

    name: str
    kind: Kind
    endpoint: Text
    """Without a trailing slash; `api: openai` includes the server's own `/v1`."""
    api: Api = "v1"
    api_version: Text | None = None
    deployment: Text
    """The upstream's name for it; by default `name`."""
    model: Text
    """Base model: decides price, tokeniser, PTU ratios and context window."""
    ptus: Annotated[Int, Field(ge=1, le=1_000_000)] | None = None
    tpm: Annotated[Int, Field(ge=1)] | None = None
    rpm: Annotated[Int, Field(ge=1)] | None = None
    region: Text | None = None
    data_zone: Text | None = None
    auth: Auth
    context_window: Annotated[Int, Field(ge=1)] | None = None
    """Tokens of prompt and answer together; by default the model catalogue's."""
    timeouts: DeploymentTimeouts = DeploymentTimeouts()
    simulator: DeploymentSimulator = DeploymentSimulator()

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


class CachePolicy(Section):
    """One cache: off unless enabled; `ttl` in seconds."""

    enabled: bool = False
    ttl: Annotated[Float, Field(gt=0)] = 3600.0


class Cache(Section):
    """Which caches answer."""

    exact: CachePolicy = CachePolicy()
    semantic: CachePolicy = CachePolicy()


class Model(Section):
    """A name that applications ask for, and where it is served. `name` is its key in the file."""

    name: str
    tiers: Annotated[tuple[tuple[WeightedTarget, ...], ...], BeforeValidator(normalised_tiers)]
    """Each tier is used before the next; weights rank within a tier."""
    cache: Cache | None = None


_Count = Annotated[Int, Field(ge=0)]
_Money = Annotated[Float, Field(ge=0)]


class TenantLimits(Section):
    """A tenant's limits; None is no limit, zero is a limit of zero. Money in US dollars."""

    rps: Annotated[Float, Field(ge=0)] | None = None
    rpm: _Count | None = None
    tpm: _Count | None = None
    concurrency: _Count | None = None
    requests_per_day: _Count | None = None
    tokens_per_day: _Count | None = None
    tokens_per_month: _Count | None = None
    usd_per_day: _Money | None = None
    usd_per_month: _Money | None = None


class SpillBudget(Section):
    """Spilling is allowed up to this much money a day."""

    usd_per_day: _Money


def _spill_form(value: object) -> str | None:
    if isinstance(value, Mapping | SpillBudget):
        return "(budget)"
    return "(choice)" if value in ("allow", "deny") else None


# Tags in round brackets are dropped from the place of a mistake.
Spill = Annotated[
    Annotated[Literal["allow", "deny"], Tag("(choice)")] | Annotated[SpillBudget, Tag("(budget)")],
    Discriminator(
        _spill_form,
        custom_error_type="spill_form",
        custom_error_message=SPILL_FORMS,
    ),
]


class Tenant(Section):
    """A tenant's seed. `name` is its key in the file."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: str
    keys: tuple[Secret, ...] = ()
    models: tuple[Name, ...] | None = None
    """Names of `models:`; None is all of them."""
    request_class: RequestClass = Field(default="standard", alias="class")
    limits: TenantLimits = TenantLimits()
    ptu_share: Annotated[Float, Field(ge=0, le=1)] | None = None
    """Guaranteed share of each PTU deployment, 0 to 1."""
    spill: Spill = "allow"
    data_zones: tuple[Text, ...] | None = None
    """Values of deployments' `data_zone`; None is any."""
    redis_loss: RedisLoss = "local_share"
    cache: Cache | None = None


class Limits(Section):
    """What one request, and one worker, may take."""

    max_body_bytes: Annotated[Int, Field(ge=1024, le=1 << 30)] = 10 * 1024 * 1024
    max_json_depth: Annotated[Int, Field(ge=4, le=512)] = 64
    max_in_flight: Annotated[Int, Field(ge=1)] = 4096
    """Requests at once per worker."""
    max_attempts_after_errors: Annotated[Int, Field(ge=1, le=10)] = 3
    """Attempts for one request when the upstream fails; refusals for room are not counted."""
    max_connections: Annotated[Int, Field(ge=1)] = 2048
    """Connections per deployment and worker."""


class Settings(Section):
    """The whole configuration."""

    listen: Listen = Listen()
    redis: Redis | None = None
    """None: an embedded server is started."""
    ledger: Ledger | None = None
    admin: Admin | None = None
    keys: Keys = Keys()
    deployments: Annotated[dict[Name, Deployment], Field(min_length=1)]
    models: Annotated[dict[Name, Model], Field(min_length=1)]
    tenants: dict[Name, Tenant] = {}
    cache: Cache = Cache()
    simulator: Simulator = Simulator()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def _entries_know_their_names(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        named = {part: _with_names(value[part], part) for part in _NAMED if value.get(part)}
        return {**value, **named}

    def timeouts_of(self, deployment: Deployment) -> UpstreamTimeouts:
        """The deadlines that hold for `deployment`."""
        common = {name: getattr(self.timeouts, name) for name in UpstreamTimeouts.model_fields}
        return UpstreamTimeouts(**{**common, **deployment.timeouts.model_dump(exclude_none=True)})

    def simulator_of(self, deployment: Deployment) -> Simulator:
        """How `deployment` behaves when it is simulated."""
        own = deployment.simulator.model_dump(exclude_none=True)
        return Simulator(**{**self.simulator.model_dump(), **own})


_NAMED: Final = ("deployments", "models", "tenants")


def _with_names(entries: object, part: str) -> object:
    """Each mapping of `entries` with its key as `name`; what is no mapping stays as it is."""
    if not isinstance(entries, Mapping):
        return entries
    return {key: _with_name(key, entry, part) for key, entry in entries.items()}


def _with_name(key: object, entry: object, part: str) -> object:
    if not isinstance(entry, Mapping):
        return entry
    named: dict[Any, Any] = {**entry, "name": key}
    if part == "deployments" and named.get("deployment") is None:
        named["deployment"] = key
    return named
