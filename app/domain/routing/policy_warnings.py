"""What route policies come to on a configuration's deployments, where that may surprise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from app.domain.identity.directory import TenantEntry
from app.domain.identity.route_policy import RoutePolicy, Spill
from app.settings import Deployment, Settings
from app.settings.fault import suggestion

#: Ten guarantees of a tenth are one, whatever floating point makes of them.
_ALL: Final = 1 + 1e-9


def policy_warnings(settings: Settings, tenants: Iterable[TenantEntry]) -> Iterator[str]:
    """Places that are nowhere, models that nobody may serve, PTUs that are promised twice.

    A line each, beginning with its place in the configuration. Disabled tenants ask for nothing.
    """
    asking = [tenant for tenant in tenants if not tenant.disabled]
    for tenant in asking:
        yield from _unknown_places(settings, tenant)
        yield from _unserved_models(settings, tenant)
        yield from _unlimited_aliases(settings, tenant)
    for deployment in settings.deployments.values():
        if deployment.kind == "ptu":
            yield from _oversold(settings, deployment, asking)


def _unknown_places(settings: Settings, tenant: TenantEntry) -> Iterator[str]:
    deployments = settings.deployments.values()
    known: Mapping[str, tuple[Collection[str] | None, set[str]]] = {
        "data_zones": (
            tenant.routing.data_zones,
            {d.data_zone for d in deployments if d.data_zone},
        ),
        "regions": (tenant.routing.regions, {d.region for d in deployments if d.region}),
    }
    for field, (bound_to, there) in known.items():
        for place in sorted(set(bound_to or ()) - there):
            hint = suggestion(place, there)
            yield f"tenants.{tenant.name}.{field}: no deployment is in {place}{hint}"


def _unserved_models(settings: Settings, tenant: TenantEntry) -> Iterator[str]:
    policy = tenant.routing
    unserved = [name for name in _usable(settings, tenant) if not _serving(settings, policy, name)]
    if unserved:
        what = "its data zones, regions and spill policy leave no deployment of"
        yield f"tenants.{tenant.name}: {what} {', '.join(unserved)}"


def _unlimited_aliases(settings: Settings, tenant: TenantEntry) -> Iterator[str]:
    """Limits go by the name that is asked for: one on a model is none on its aliases."""
    limits = {(rule.name, rule.key_id, rule.model) for rule in tenant.limits if rule.model}
    for name, key_id, model in sorted(limits, key=str):
        for other in _usable(settings, tenant):
            same = model in settings.models and _is_same(settings, model, other)
            if same and (name, key_id, other) not in limits:
                yield f"tenants.{tenant.name}: its limit {name} on {model} is none on {other}"


def _is_same(settings: Settings, model: str, other: str) -> bool:
    return settings.served_as(model) == settings.served_as(other)


def _usable(settings: Settings, tenant: TenantEntry) -> list[str]:
    """The models that a tenant may ask for, of those there are."""
    return [name for name in settings.models if tenant.models is None or name in tenant.models]


def _oversold(
    settings: Settings, deployment: Deployment, tenants: Iterable[TenantEntry]
) -> Iterator[str]:
    """Guarantees on one deployment, of all tenants that may use it."""
    shares = {
        tenant.name: tenant.routing.ptu_share
        for tenant in tenants
        if tenant.routing.ptu_share and _may_use(settings, tenant, deployment)
    }
    total = sum(shares.values())
    if total > _ALL:
        each = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        yield (
            f"deployments.{deployment.name}: the guaranteed ptu_shares come to {total:.4g} "
            f"({each}); together they get all of it, each in proportion"
        )


def _may_use(settings: Settings, tenant: TenantEntry, deployment: Deployment) -> bool:
    return any(
        deployment.name in _serving(settings, tenant.routing, model)
        for model in _usable(settings, tenant)
    )


def _serving(settings: Settings, policy: RoutePolicy, model: str) -> list[str]:
    """The deployments of a model that a policy leaves."""
    tiers = settings.tiers_of(model)
    within = tiers[:1] if policy.spill is Spill.DENY else tiers
    names = [target.name for tier in within for target in tier]
    return [name for name in names if policy.permits(settings.deployments[name])]
