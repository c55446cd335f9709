"""Who calls the admin API, and what each role may do there; what is not named is denied."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.identity.api_key import ApiKey, digest
from app.domain.identity.directory import Actor, AdminEntry, Directory, Role
from app.errors import InvalidApiKey, NotAllowed, UnknownEntry

#: What a key is compared with when there is nothing to compare it with; no HMAC is all zeros.
_NOBODY: Final = bytes(32)


class Action(StrEnum):
    """What a route does; every route declares one."""

    SEE_SELF = "me:read"
    READ_TENANTS = "tenants:read"
    TAG_TENANTS = "tenants:tag"
    WRITE_TENANTS = "tenants:write"
    READ_KEYS = "keys:read"
    WRITE_KEYS = "keys:write"
    READ_LIMITS = "limits:read"
    WRITE_LIMITS = "limits:write"
    SIMULATE_LIMITS = "limits:simulate"
    READ_USAGE = "usage:read"
    READ_LEDGER = "ledger:read"
    READ_AUDIT = "audit:read"
    READ_DEPLOYMENTS = "deployments:read"
    WRITE_DEPLOYMENTS = "deployments:write"
    READ_EXPLANATIONS = "explain:read"
    READ_CACHE = "cache:read"  # numbers
    LIST_CACHE = "cache:list"  # beginnings of prompts, too
    EVICT_CACHE = "cache:evict"
    MAKE_PLAN = "plan:make"
    CANCEL_PLANS = "plan:cancel"  # anybody's
    READ_LOGS = "logs:read"
    WRITE_LOGS = "logs:write"
    READ_OPENAPI = "openapi:read"
    READ_ADMINS = "admins:read"
    WRITE_ADMINS = "admins:write"


_READING_A_TENANT: Final = frozenset(
    {
        Action.SEE_SELF,
        Action.READ_OPENAPI,
        Action.READ_TENANTS,
        Action.READ_KEYS,
        Action.READ_LIMITS,
        Action.SIMULATE_LIMITS,
        Action.READ_USAGE,
        Action.READ_LEDGER,
        Action.READ_EXPLANATIONS,
        Action.READ_CACHE,
    }
)
_READING: Final = _READING_A_TENANT | {
    Action.READ_AUDIT,
    Action.READ_DEPLOYMENTS,
    Action.MAKE_PLAN,
    Action.READ_LOGS,
}
_TENDING_A_TENANT: Final = _READING_A_TENANT | {
    Action.TAG_TENANTS,
    Action.WRITE_KEYS,
    Action.LIST_CACHE,
    Action.EVICT_CACHE,
}

PERMISSIONS: Final[Mapping[Role, frozenset[Action]]] = {
    Role.OWNER: frozenset(Action),
    Role.OPERATOR: frozenset(Action) - {Action.READ_ADMINS, Action.WRITE_ADMINS},
    Role.TENANT_ADMIN: _TENDING_A_TENANT,
    Role.VIEWER: _READING,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls; `tenant` is the only one that it sees, None: all of them."""

    actor: Actor
    tenant: str | None = None

    def may(self, action: Action) -> bool:
        """Whether its role allows this."""
        return action in PERMISSIONS[self.actor.role]

    def require(self, action: Action) -> None:
        """Raise NotAllowed where its role does not allow this."""
        if not self.may(action):
            raise NotAllowed(f"The role {self.actor.role} does not allow {action}.")

    def sees(self, tenant: str) -> bool:
        """Whether it may know anything of a tenant."""
        return self.tenant in {None, tenant}

    def require_sight(self, tenant: str) -> None:
        """Raise UnknownEntry for a tenant it does not see: the same as for one that is not."""
        if not self.sees(tenant):
            raise unknown_tenant(tenant)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose key was shown, without the key; `admin` None: the configured owner's."""

    admin: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Authentication:
    """Whose key is shown: the configured owner's, or an administrator's of the directory."""

    directory: Callable[[], Directory]
    pepper: Callable[[], bytes]
    owner_key: Callable[[], str | None]
    unix: Callable[[], float]

    def authenticate(self, authorization: str, request_id: str = "") -> Caller:
        """Who shows this `Authorization` header. Raises InvalidApiKey.

        Both comparisons are made for every text, so that timing tells nobody which one failed.
        """
        scheme, _, key = authorization.partition(" ")
        owner, admin = self._is_owner(key), self._admin(key)
        if scheme.lower() != "bearer" or not key:
            raise InvalidApiKey("The admin API needs 'Authorization: Bearer ADMIN_KEY'.")
        if owner:
            return Caller(Actor("owner", Role.OWNER, request_id))
        if admin is not None:
            return _caller(admin, request_id)
        raise InvalidApiKey("The admin key is not valid: unknown, disabled or expired.")

    def standing(self, key: str) -> Standing:
        """What to recall by whose key this is, which was let in just now."""
        admin = None if self._is_owner(key) else self._admin(key)
        return Standing(admin.id if admin else None, digest(self.pepper(), key))

    def recall(self, standing: Standing, request_id: str = "") -> Caller:
        """Who showed that key, as of now.

        Raises InvalidApiKey where the key lets nobody in any more.
        """
        if standing.admin is None:
            owner = self.owner_key()
            current = digest(self.pepper(), owner) if owner else _NOBODY
            if hmac.compare_digest(standing.digest, current):
                return Caller(Actor("owner", Role.OWNER, request_id))
        elif entry := self.directory().admins.get(standing.admin):
            same = hmac.compare_digest(standing.digest, bytes.fromhex(entry.digest))
            if same and self._is_valid(entry):
                return _caller(entry, request_id)
        raise InvalidApiKey("The key that this began with lets nobody in any more.")

    def _is_owner(self, key: str) -> bool:
        owner = self.owner_key()
        same = hmac.compare_digest(_bytes(key), _bytes(owner or ""))
        return bool(owner) and same

    def _admin(self, key: str) -> AdminEntry | None:
        parsed = ApiKey.parse(key)
        entry = self.directory().admins.get(parsed.id) if parsed else None
        stored = bytes.fromhex(entry.digest) if entry else _NOBODY
        same = hmac.compare_digest(digest(self.pepper(), key), stored)
        return entry if entry is not None and same and self._is_valid(entry) else None

    def _is_valid(self, entry: AdminEntry) -> bool:
        """A tenant-admin without a tenant would see all of them."""
        in_time = entry.expires_at is None or self.unix() < entry.expires_at
        whole = entry.role is not Role.TENANT_ADMIN or entry.tenant is not None
        return in_time and whole and not entry.disabled


def _caller(entry: AdminEntry, request_id: str) -> Caller:
    name = f"{entry.id} ({entry.name})" if entry.name else entry.id
    return Caller(Actor(name, entry.role, request_id), entry.tenant)


def unknown_tenant(name: str) -> UnknownEntry:
    """There is no such tenant, or the caller may not know of it."""
    return UnknownEntry(f"There is no tenant {name[:64]!r}.")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
