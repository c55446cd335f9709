"""Sections about the gateway's own process: listeners, state, keys, limits."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from app.settings.redis_url import database_in, fault_in
from app.settings.section import Float, Int, Network, Port, Secret, Section, Text
from app.settings.webhook import WebhookUrl


def _text_of_number(value: object) -> object:
    """YAML reads 1.3 as a number."""
    return str(value) if isinstance(value, float) else value


class Tls(Section):
    """What a listener speaks TLS with: PEM files, which are read anew when they are replaced."""

    cert: Text
    """Path of the certificate and its chain."""
    key: Text
    """Path of its private key, which has no password."""
    client_ca: Text | None = None
    """Path of the authorities of clients' certificates; given, who has none is not let in."""
    min_version: Annotated[Literal["1.2", "1.3"], BeforeValidator(_text_of_number)] = "1.2"
    """The oldest version of TLS that is spoken."""


#: The longest month in its own time zone, and a day for the end of a file.
FEWEST_DAYS = 32

#: Of an admin key; what has fewer can be guessed.
_SHORTEST_KEY = 16
_FEWEST_CHARACTERS = 8


class Listen(Section):
    """Where the data plane and the admin plane listen; port 0 takes a free one."""

    host: Text = "127.0.0.1"
    """Address of the data plane: what applications call."""
    port: Port = 8080
    """Port of the data plane."""
    admin_host: Text = "127.0.0.1"
    """Address of the admin API and `/metrics`."""
    admin_port: Port = 8081
    """Their port."""
    workers: Annotated[Int, Field(ge=1, le=256)] = 1
    """Processes of the data plane on this machine, one for each core."""
    tls: Tls | None = None
    """Certificate of the data plane; None: it speaks HTTP without TLS."""
    admin_tls: Tls | None = None
    """Certificate of the admin plane, and of `/metrics`; None: without TLS."""
    trusted_proxies: tuple[Network, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` and `-Proto` are believed; none by default."""


class RedisEntra(Section):
    """An identity of Entra ID; without `client_id` and `tenant_id` the default credential chain."""

    scope: Text = "https://redis.azure.com/.default"
    """What a token is asked for; the default is Azure's public cloud's."""
    client_id: Text | None = None
    """Application id of a managed identity or of a workload."""
    tenant_id: Text | None = None
    """The directory's id."""


class RedisAuth(Section):
    """How the gateway signs in to Redis, where the URL has no password."""

    entra: RedisEntra | None = None
    """As an identity of Microsoft Entra ID; empty: the default credential chain."""


class Redis(Section):
    """Redis endpoints; URLs are secrets because they may hold a password."""

    url: Secret
    """Where accounts, keys and the ledger are: redis://, rediss:// or unix://."""
    cache_url: Secret | None = None
    """One server for the cache alone, whose evictions do not reach the quotas; None: `url`."""
    auth: RedisAuth | None = None
    """How the gateway signs in where a URL has no password; needs rediss://."""
    cluster: bool = False
    """Whether `url` leads to a node of a cluster, which names the others."""
    operation_timeout_ms: Annotated[Int, Field(ge=5, le=5000)] = 50
    """For how long a round trip about accounts is waited for before `redis_loss` decides."""
    leases: bool = True
    """Whether workers take room ahead for keys and models that are asked for often."""

    @field_validator("url", "cache_url")
    @classmethod
    def _can_be_understood(cls, value: SecretStr | None) -> SecretStr | None:
        fault = value and fault_in(value.get_secret_value())
        if fault:
            raise ValueError(fault)
        return value

    @field_validator("auth")
    @classmethod
    def _is_encrypted(cls, value: RedisAuth | None, info: ValidationInfo) -> RedisAuth | None:
        urls = [info.data.get("url"), info.data.get("cache_url")]
        parts = [urlsplit(url.get_secret_value()) for url in urls if url]
        if value and parts and all(each.password for each in parts):
            msg = "is of no use: every URL has a password"
            raise ValueError(msg)
        if value and any(each.scheme != "rediss" and not each.password for each in parts):
            msg = "a token is shown by rediss:// alone"
            raise ValueError(msg)
        return value

    @field_validator("cluster")
    @classmethod
    def _can_be_a_cluster(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  # pydantic's signature
        url = info.data.get("url")
        parts = urlsplit(url.get_secret_value() if value and url else "")
        if parts.scheme == "unix":
            msg = "the nodes of a cluster cannot be reached by a unix:// URL"
            raise ValueError(msg)
        if value and url and database_in(url.get_secret_value()):
            msg = "a cluster has only database 0; the URL names another"
            raise ValueError(msg)
        return value


class Ledger(Section):
    """The durable copy of what Redis holds."""

    archive: Text = "./.spillgate/ledger"
    """The directory of its files."""
    retention_days: Annotated[Int, Field(le=3660, json_schema_extra={"minimum": FEWEST_DAYS})] = 400
    """For how many days rows are kept."""

    @field_validator("retention_days")
    @classmethod
    def _holds_a_month(cls, value: int) -> int:
        if value < FEWEST_DAYS:
            msg = (
                f"must be at least {FEWEST_DAYS}: a month's budgets are counted anew from the "
                "archive when Redis loses them"
            )
            raise ValueError(msg)
        return value


class Budgets(Section):
    """Who is told when a budget is nearly used up."""

    alert_at: tuple[Annotated[Float, Field(gt=0, le=1)], ...] = (0.8,)
    """Shares of a budget, 0 to 1."""
    webhook: WebhookUrl | None = None
    """Where alerts are posted to as JSON; https, or http on this machine."""


class Admin(Section):
    """The owner's key; `serve` does not start without one, nor with one that can be guessed."""

    key: Secret
    """At least 16 characters, 8 different ones."""

    @field_validator("key")
    @classmethod
    def _not_weak(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value()
        if len(key) < _SHORTEST_KEY or len(set(key)) < _FEWEST_CHARACTERS:
            least = f"{_SHORTEST_KEY} characters, {_FEWEST_CHARACTERS} different ones"
            msg = f"must have at least {least}"
            raise ValueError(msg)
        return value


class Keys(Section):
    """How tenants' keys are stored; a pepper left out is made once, in Redis."""

    pepper: Secret | None = None
    """Secret text that keys are hashed with; another one makes all keys unknown."""


class Limits(Section):
    """What one request, and one worker, may take."""

    max_body_bytes: Annotated[Int, Field(ge=1024, le=1 << 30)] = 10 * 1024 * 1024
    """Of a request."""
    max_json_depth: Annotated[Int, Field(ge=4, le=512)] = 64
    """Of a request: brackets within brackets."""
    max_in_flight: Annotated[Int, Field(ge=1)] = 4096
    """Requests at once per worker."""
    max_connections: Annotated[Int, Field(ge=8, le=1_000_000)] = 10_000
    """Of clients at once, per worker and listener; whoever comes then is told to come again."""
    max_attempts_after_errors: Annotated[Int, Field(ge=1, le=10)] = 3
    """Attempts for one request when the upstream fails; refusals for room are not counted."""
