"""The tenants and keys of a configuration as entries of the directory, and where both differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from app.domain.cache.policy import CacheRule, rule_of, said_by
from app.domain.capacity.shares import RequestClass
from app.domain.identity.api_key import ApiKey, digest
from app.domain.identity.directory import Directory, EntraIds, Entry, KeyEntry, TenantEntry
from app.domain.identity.route_policy import RoutePolicy, Spill
from app.domain.identity.tenant import LossPolicy
from app.domain.policy.rules import InputPolicy, policy_of
from app.domain.policy.rules import said_by as policy_said_by
from app.domain.quota.limit import RULE_NAMES, LimitName, LimitRule
from app.settings import Settings, SpillBudget
from app.settings import Tenant as TenantSettings

PEPPER_VERSION: Final = 1
#: Of a spill budget, over which time.
_A: Final = {"usd_per_hour": "an hour", "usd_per_day": "a day"}


def seeds_of(settings: Settings, pepper: bytes, created_at: float = 0.0) -> list[Entry]:
    """Every tenant and key of the configuration; `created_at` is Unix time."""
    return [*seeded_tenants(settings), *_keys(settings, pepper, created_at)]


def seeded_tenants(settings: Settings) -> list[TenantEntry]:
    """Every tenant of the configuration."""
    return [_tenant(tenant) for tenant in settings.tenants.values()]


def configured_pepper(settings: Settings) -> bytes | None:
    """The pepper that the configuration gives."""
    pepper = settings.keys.pepper
    return pepper.get_secret_value().encode() if pepper is not None else None


def differences(settings: Settings, directory: Directory) -> list[str]:
    """Where the configuration says otherwise than what is in force, a line each.

    Digests are compared where the configuration gives the pepper.
    """
    return [*_tenant_differences(settings, directory), *_key_differences(settings, directory)]


def _tenant(tenant: TenantSettings) -> TenantEntry:
    limits = tenant.limits.model_dump(exclude_none=True)
    return TenantEntry(
        name=tenant.name,
        models=None if tenant.models is None else tuple(tenant.models),
        limits=tuple(LimitRule(LimitName(name), amount) for name, amount in limits.items()),
        time_zone=tenant.time_zone,
        redis_loss=LossPolicy(tenant.redis_loss),
        tags=dict(tenant.tags),
        entra=EntraIds(**{kind: getattr(tenant.entra, kind) for kind in EntraIds().kinds}),
        routing=_routing(tenant),
        cache=rule_of(tenant.cache),
        policy=policy_of(tenant.policy),
        trace_content=tenant.trace_content,
    )


def _routing(tenant: TenantSettings) -> RoutePolicy:
    budget = tenant.spill if isinstance(tenant.spill, SpillBudget) else None
    return RoutePolicy(
        request_class=RequestClass[tenant.request_class.upper()],
        ptu_share=tenant.ptu_share or 0.0,
        weight=tenant.ptu_weight,
        spill=Spill.DENY if tenant.spill == "deny" else Spill.ALLOW,
        spill_usd_per_day=budget.usd_per_day if budget else None,
        spill_usd_per_hour=budget.usd_per_hour if budget else None,
        data_zones=None if tenant.data_zones is None else frozenset(tenant.data_zones),
        regions=None if tenant.regions is None else frozenset(tenant.regions),
    )


def _keys(settings: Settings, pepper: bytes, created_at: float) -> Iterator[KeyEntry]:
    for name, tenant in settings.tenants.items():
        for secret in tenant.keys:
            key = ApiKey.parse(secret.get_secret_value())
            if key is not None:  # `load` has refused what is not in the format
                yield KeyEntry(
                    id=key.id,
                    tenant=name,
                    digest=digest(pepper, key.text).hex(),
                    last4=key.last4,
                    pepper_version=PEPPER_VERSION,
                    created_at=created_at,
                )


def _tenant_differences(settings: Settings, directory: Directory) -> Iterator[str]:
    for name, tenant in settings.tenants.items():
        seed, found = _tenant(tenant), directory.tenants.get(name)
        if found is None:
            yield f"tenants.{name}: does not exist"
            continue
        if found.disabled:
            yield f"tenants.{name}: is disabled"
        for field, in_force, configured in _differing_fields(seed, found):
            yield f"tenants.{name}.{field}: {in_force} in force, not {configured}"
        yield from _limit_differences(seed, found)
        for kind, ids in seed.entra.kinds.items():
            missing = ", ".join(guid for guid in ids if guid not in found.entra.kinds[kind])
            if missing:
                yield f"tenants.{name}.entra.{kind}: {missing} not in force"


def _differing_fields(seed: TenantEntry, found: TenantEntry) -> Iterator[tuple[str, str, str]]:
    """Fields, what is in force, and what is configured. Of tags those that are configured."""
    pairs = [
        ("models", _list(found.models), _list(seed.models)),
        ("time_zone", found.time_zone, seed.time_zone),
        ("redis_loss", found.redis_loss.value, seed.redis_loss.value),
        ("trace_content", _yes_or_no(found.trace_content), _yes_or_no(seed.trace_content)),
        *_routing_pairs(found.routing, seed.routing),
        *_cache_pairs(found.cache, seed.cache),
        *_policy_pairs(found.policy, seed.policy),
        *((f"tags.{tag}", found.tags.get(tag, "none"), seed.tags[tag]) for tag in seed.tags),
    ]
    return ((field, in_force, wanted) for field, in_force, wanted in pairs if in_force != wanted)


def _routing_pairs(found: RoutePolicy, seed: RoutePolicy) -> list[tuple[str, str, str]]:
    return [
        ("class", found.request_class.name.lower(), seed.request_class.name.lower()),
        ("ptu_share", f"{found.ptu_share:.12g}", f"{seed.ptu_share:.12g}"),
        ("ptu_weight", f"{found.weight:.12g}", f"{seed.weight:.12g}"),
        ("spill", _spill(found), _spill(seed)),
        ("data_zones", _places(found.data_zones), _places(seed.data_zones)),
        ("regions", _places(found.regions), _places(seed.regions)),
    ]


def _cache_pairs(found: CacheRule, seed: CacheRule) -> list[tuple[str, str, str]]:
    in_force, wanted = said_by(found), said_by(seed)
    return [
        (f"cache.{name}", _value(in_force.get(name)), _value(wanted.get(name)))
        for name in sorted(in_force.keys() | wanted.keys())
    ]


def _policy_pairs(found: InputPolicy, seed: InputPolicy) -> list[tuple[str, str, str]]:
    in_force, wanted = policy_said_by(found), policy_said_by(seed)
    return [
        (f"policy.{name}", in_force.get(name, "unsaid"), wanted.get(name, "unsaid"))
        for name in sorted(in_force.keys() | wanted.keys())
    ]


def _limit_differences(seed: TenantEntry, found: TenantEntry) -> Iterator[str]:
    """Of the whole tenant; the configuration knows no others."""
    wanted = {rule.name: rule.amount for rule in seed.limits}
    given = {
        rule.name: rule.amount
        for rule in found.limits
        if rule.key_id is None and rule.model is None
    }
    for name in RULE_NAMES:
        if wanted.get(name) != given.get(name):
            in_force, configured = _amount(given.get(name)), _amount(wanted.get(name))
            yield f"tenants.{seed.name}.limits.{name}: {in_force} in force, not {configured}"


def _key_differences(settings: Settings, directory: Directory) -> Iterator[str]:
    pepper = configured_pepper(settings)
    for seed in _keys(settings, pepper or b"", 0.0):
        found = directory.keys.get(seed.id)
        place = f"tenants.{seed.tenant}.keys: key {seed.id}"
        if found is None:
            yield f"{place} does not exist"
        elif found.tenant != seed.tenant:
            yield f"{place} belongs to tenant {found.tenant}"
        elif found.disabled:
            yield f"{place} is disabled"
        elif pepper is not None and found.digest != seed.digest:
            yield f"{place} is another key, or was stored under another pepper"


def _value(value: float | None) -> str:
    if value is None:
        return "unsaid"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _list(models: tuple[str, ...] | None) -> str:
    return "all" if models is None else ", ".join(models) or "none"


def _places(places: Collection[str] | None) -> str:
    return "any" if places is None else ", ".join(sorted(places)) or "none"


def _spill(policy: RoutePolicy) -> str:
    budgets = [f"{usd:g} dollars {_A[name]}" for name, usd in policy.spill_budgets.items()]
    return f"up to {' and '.join(budgets)}" if budgets else policy.spill.value


def _amount(amount: float | None) -> str:
    return "none" if amount is None else f"{amount:g}" if amount % 1 else f"{amount:.0f}"


def _yes_or_no(is_so: bool) -> str:  # noqa: FBT001  # a value to be named
    return "true" if is_so else "false"
