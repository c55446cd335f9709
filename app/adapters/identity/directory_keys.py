"""Tenants and the callers behind keys as the directory has them; from memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import msgspec

from app.adapters.redis.directory import Current
from app.domain.identity.api_key import ApiKey, KeyRecord, digest
from app.domain.identity.caller_token import CallerRules
from app.domain.identity.directory import Directory, KeyEntry, TenantEntry
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant
from app.ports import CallerTokens, Clock

#: What a key is compared with when there is nothing to compare it with; no HMAC is all zeros.
_NOBODY: Final = KeyRecord(id="", tenant="", digest=bytes(32), last4="", pepper_version=0)

#: Keys that are known again by a digest; beyond this many all are verified anew.
_RECENT: Final = 10_000

#: No request lasts as long, nor does Redis keep it waiting for its archive.
DELETED_FOR_S: Final = 86_400.0


class Store(Protocol):
    """What has the directory."""

    @property
    def in_force(self) -> Current:
        """The directory as this worker has it, and the pepper."""
        ...


class _Key(msgspec.Struct, frozen=True):
    record: KeyRecord
    entry: KeyEntry
    principal: Principal
    lasts: bool  # it is not disabled, and never expires


@dataclass(frozen=True, slots=True)
class _Index:
    """One version of the directory, ready to be asked."""

    current: Current
    keys: Mapping[str, _Key] = field(repr=False)
    tenants: Mapping[str, Tenant]
    enabled: Mapping[str, Tenant]
    callers: CallerRules
    policies: Mapping[str, RoutePolicy]  # of those that are enabled
    #: Keys that were shown and found right, by a digest; they end with this version.
    recent: dict[bytes, _Key] = field(default_factory=dict, repr=False)


class DirectoryKeys:
    """A KeyDirectory that follows a store; the index is made once for each version.

    A text that is no key, or that names an unknown one, costs the same HMAC and the same comparison
    as a key that is somebody's, so that timing tells nobody which ids exist. Only who has shown a
    whole key is known again without them.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """`clock` tells which keys have expired."""
        self._store = store
        self._clock = clock
        self._made = _index(store.in_force)
        self._deleted: dict[str, float] = {}  # tenants, by when they were missed

    def find(self, key: str) -> Principal | None:
        """The principal of a key that is in force, None for any other text."""
        index = self._made
        if index.current is not self._store.in_force:
            index = self._index()
        shown = blake2b(key.encode("utf-8", "surrogatepass")).digest()
        known = index.recent.get(shown)
        if known is None:
            known = _verified(index, key)
            if known is None:
                return None
            if len(index.recent) >= _RECENT:
                index.recent.clear()
            index.recent[shown] = known
        lets_in = known.lasts or known.entry.is_valid(self._clock.unix())
        return known.principal if lets_in else None

    def tenants(self) -> Mapping[str, Tenant]:
        """All tenants by name, disabled ones too: they have accounts."""
        return self._index().tenants

    def names_with_rows(self) -> set[str]:
        """Tenants that may have rows to be archived: all, and those deleted a while ago.

        A request that was under way is settled after its tenant is gone.
        """
        current, now = self.tenants(), self._clock.unix()
        for name, deleted_at in list(self._deleted.items()):
            if name in current or now - deleted_at > DELETED_FOR_S:
                del self._deleted[name]
        return {*current, *self._deleted}

    def tenant(self, name: str) -> Tenant | None:
        """A tenant that may ask for something; None for a disabled or unknown one."""
        return self._index().enabled.get(name)

    def entry(self, tenant: str) -> object:
        """What is another object where the tenant was changed, or another one has its name."""
        return self._store.in_force.directory.tenants.get(tenant)

    def answers_generation(self, tenant: str) -> tuple[object, ...]:
        """What is another object after an eviction of the tenant's answers, or a new tenant."""
        return self.entry(tenant), self._store.in_force.directory.caches.get(tenant)

    def policy(self, tenant: Tenant) -> RoutePolicy | None:
        """Its route policy by now, whatever it was before; None once it may ask for nothing."""
        index = self._made
        if index.current is not self._store.in_force:
            index = self._index()
        return index.policies.get(tenant.name)

    def caller_rules(self) -> CallerRules:
        """Whose tokens are whose; tenants are there also while they are disabled."""
        return self._index().callers

    def _index(self) -> _Index:
        current = self._store.in_force
        if self._made.current is not current:
            before, self._made = self._made, _index(current)
            gone = before.tenants.keys() - self._made.tenants.keys()
            self._deleted |= dict.fromkeys(gone, self._clock.unix())
        return self._made


class DirectoryCallers:
    """Callers with tokens, each with its tenant as the directory has it now."""

    def __init__(self, callers: CallerTokens, keys: DirectoryKeys) -> None:
        """`callers` names the tenant; `keys` knows it."""
        self.callers = callers
        self._keys = keys

    async def find(self, token: str) -> Principal | None:
        """The principal of a token whose tenant is not disabled. Raises StoreUnavailable."""
        found = await self.callers.find(token)
        if found is None:
            return None
        tenant = self._keys.tenant(found.tenant.name)
        return Principal(tenant, found.key_id) if tenant is not None else None


def tenant_of(entry: TenantEntry, key: KeyEntry | None = None) -> Tenant:
    """A tenant as a request sees it; a key narrows its models, and has tags of its own."""
    allowed = None if entry.models is None else frozenset(entry.models)
    if key is not None and key.models is not None:
        of_key = frozenset(key.models)
        allowed = of_key if allowed is None else allowed & of_key
    return Tenant(
        name=entry.name,
        models=allowed,
        limits=entry.limits,
        zone=ZoneInfo(entry.time_zone),
        redis_loss=entry.redis_loss,
        tags={**entry.tags, **(key.tags if key is not None else {})},
        routing=entry.routing,
        cache=entry.cache,
        policy=entry.policy,
        trace_content=entry.trace_content,
    )


def _verified(index: _Index, key: str) -> _Key | None:
    parsed = ApiKey.parse(key)
    known = index.keys.get(parsed.id) if parsed else None
    record = known.record if known else _NOBODY
    return known if record.matches(digest(index.current.pepper, key)) else None


def _index(current: Current) -> _Index:
    tenants = {name: tenant_of(entry) for name, entry in current.directory.tenants.items()}
    keys = {
        key.id: _key(key, _tenant(key, current.directory, tenants))
        for key in current.directory.keys.values()
        if _may_ask(key, current.directory)
    }
    entries = current.directory.tenants
    enabled = {name: tenant for name, tenant in tenants.items() if not entries[name].disabled}
    callers = _caller_rules(current.directory, tenants)
    policies = {name: tenant.routing for name, tenant in enabled.items()}
    return _Index(current, keys, tenants, enabled, callers, policies)


def _caller_rules(directory: Directory, tenants: Mapping[str, Tenant]) -> CallerRules:
    def by_id(kind: str) -> dict[str, Tenant]:
        return {
            guid: tenants[name]
            for name, entry in directory.tenants.items()
            for guid in entry.entra.kinds[kind]
        }

    return CallerRules(by_id("objects"), by_id("applications"), by_id("groups"))


def _may_ask(key: KeyEntry, directory: Directory) -> bool:
    """Whether its tenant is there and not disabled; the key's own state is looked at when used."""
    tenant = directory.tenants.get(key.tenant)
    return tenant is not None and not tenant.disabled


def _tenant(key: KeyEntry, directory: Directory, tenants: Mapping[str, Tenant]) -> Tenant:
    if key.models is None and not key.tags:
        return tenants[key.tenant]
    return tenant_of(directory.tenants[key.tenant], key)


def _key(key: KeyEntry, tenant: Tenant) -> _Key:
    lasts = not key.disabled and key.expires_at is None
    return _Key(_record(key), key, Principal(tenant, key.id), lasts)


def _record(key: KeyEntry) -> KeyRecord:
    return KeyRecord(key.id, key.tenant, bytes.fromhex(key.digest), key.last4, key.pepper_version)
