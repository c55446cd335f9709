"""Who there is: tenants, their keys, and the administrators, as one immutable state.

The state is replaced as a whole; a worker that has version n has every change up to n.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from app.domain.cache.policy import UNSAID, CacheRule
from app.domain.identity.route_policy import ANYWHERE, RoutePolicy
from app.domain.identity.tenant import LossPolicy
from app.domain.policy.rules import UNSAID as NO_POLICY
from app.domain.policy.rules import InputPolicy
from app.domain.quota.limit import LimitRule


class Role(StrEnum):
    """What an administrator may do; what is not allowed is denied."""

    OWNER = "owner"  # everything, administrators included
    OPERATOR = "operator"  # tenants, keys, limits, deployments; not administrators
    TENANT_ADMIN = "tenant-admin"  # keys and tags of one tenant, and reading it
    VIEWER = "viewer"  # reading, never a secret


class EntryKind(StrEnum):
    """What an entry of the directory is."""

    TENANT = "tenant"
    KEY = "key"
    ADMIN = "admin"
    DEPLOYMENT = "deployment"
    CACHE = "cache"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class EntraIds:
    """Whose Entra ID tokens are a tenant's: ids in lower case, each of one tenant only."""

    applications: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def kinds(self) -> Mapping[str, tuple[str, ...]]:
        """The ids by the name of their kind."""
        kinds = ("applications", "objects", "groups")
        return {kind: getattr(self, kind) for kind in kinds}

    def without(self, taken: Collection[str]) -> Self:
        """The same but for some ids."""
        return type(self)(
            **{kind: tuple(i for i in ids if i not in taken) for kind, ids in self.kinds.items()}
        )


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """A tenant as it is kept. `version` counts its changes, for `If-Match`."""

    name: str
    models: tuple[str, ...] | None = None
    limits: tuple[LimitRule, ...] = ()
    time_zone: str = "UTC"
    redis_loss: LossPolicy = LossPolicy.LOCAL_SHARE
    tags: Mapping[str, str] = field(default_factory=dict)
    entra: EntraIds = EntraIds()
    routing: RoutePolicy = ANYWHERE
    cache: CacheRule = UNSAID
    policy: InputPolicy = NO_POLICY
    trace_content: bool = False
    disabled: bool = False
    version: int = 1


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A tenant's key as it is kept: nothing it could be recovered from. Times are Unix seconds.

    `models` narrows what its tenant may use; None leaves it.
    """

    id: str
    tenant: str
    digest: str = field(repr=False)  # HMAC-SHA-256 under the pepper, hexadecimal
    last4: str = ""
    pepper_version: int = 1
    name: str = ""
    models: tuple[str, ...] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    disabled: bool = False
    created_at: float = 0.0
    expires_at: float | None = None
    version: int = 1

    def is_valid(self, moment: float) -> bool:
        """Whether it lets anybody in at `moment`."""
        return not self.disabled and (self.expires_at is None or moment < self.expires_at)


@dataclass(frozen=True, slots=True)
class AdminEntry:
    """An administrator's key, kept as a tenant's is; `tenant` is that of a tenant-admin."""

    id: str
    role: Role
    digest: str = field(repr=False)
    name: str = ""
    tenant: str | None = None
    last4: str = ""
    disabled: bool = False
    created_at: float = 0.0
    expires_at: float | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    """What operators have said of a deployment; one that none was made for is as configured.

    `weights`, by model, stand in place of the configuration's.
    """

    name: str
    draining: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What was last evicted of a tenant's kept answers; `version` counts evictions.

    It is there for the audit log. `evicted` names what they were selected by, with its value, but
    no word of a prompt.
    """

    tenant: str
    evicted: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class LogsEntry:
    """What operators have said of the log, until `until` (Unix seconds); None: as configured.

    `requests` is `all`, `none` or `sample`. There is at most one such entry.
    """

    level: str | None = None
    requests: str | None = None
    until: float = 0.0
    name: str = "logs"
    version: int = 1


Entry = TenantEntry | KeyEntry | AdminEntry | DeploymentEntry | CacheEntry | LogsEntry


@dataclass(frozen=True, slots=True)
class Directory:
    """All of it at one version: keys and administrators by id, caches by tenant, else by name."""

    version: int = 0
    tenants: Mapping[str, TenantEntry] = field(default_factory=dict)
    keys: Mapping[str, KeyEntry] = field(default_factory=dict)
    admins: Mapping[str, AdminEntry] = field(default_factory=dict)
    #: No two directories share it: routing tells by it whether a directory still is in force.
    deployments: Mapping[str, DeploymentEntry] = field(default_factory=dict)
    caches: Mapping[str, CacheEntry] = field(default_factory=dict)
    logs: LogsEntry | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one entry. `entry` None deletes it.

    `expected` is the version it must have now, 0: it must not exist, None: whatever it is.
    """

    kind: EntryKind
    id: str
    entry: Entry | None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, as the audit log names it; never a secret."""

    name: str
    role: Role
    request_id: str = ""

    @property
    def id(self) -> str:
        """What its name begins with, and keeps when it is renamed."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class InForce:
    """What became of a change: the directory's version with it, and on how many live workers."""

    version: int
    workers: int  # on which it is in force
    live: int  # of so many


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the audit log. Hashes are SHA-256, hexadecimal; `previous` chains the lines."""

    number: int
    at: float
    actor: str
    role: Role
    request_id: str
    kind: EntryKind
    id: str
    action: str  # created | changed | deleted
    before: str  # hash of the entry before, empty where there was none
    after: str
    previous: str
    hash: str
