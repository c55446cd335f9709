"""Settings as the domain's values."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from app.domain.api_key import ApiKey, KeyRecord, digest
from app.domain.deployment import Api, Deployment, Fleet, Kind, Target, Tiers, Timeouts
from app.domain.limit import LimitName, LimitRule
from app.domain.tenant import LossPolicy, Tenant
from app.settings import ModelCatalog, Settings
from app.settings import Tenant as TenantSettings

_PEPPER_VERSION = 1


def fleet_of(settings: Settings, catalog: ModelCatalog) -> Fleet:
    """All deployments, and the tiers of every model."""
    deployments = {name: _deployment(settings, catalog, name) for name in settings.deployments}
    models = {name: _tiers(settings, name) for name in settings.models}
    return Fleet(deployments, models)


def tenants_of(settings: Settings) -> dict[str, Tenant]:
    """The tenants by name."""
    return {name: _tenant(tenant) for name, tenant in settings.tenants.items()}


def _tenant(tenant: TenantSettings) -> Tenant:
    limits = tenant.limits.model_dump(exclude_none=True)
    return Tenant(
        tenant.name,
        None if tenant.models is None else frozenset(tenant.models),
        limits=tuple(LimitRule(LimitName(name), amount) for name, amount in limits.items()),
        zone=ZoneInfo(tenant.time_zone),
        on_loss=LossPolicy(tenant.redis_loss),
    )


def key_records_of(settings: Settings, pepper: bytes) -> Iterator[KeyRecord]:
    """The seeded keys as they are kept: a digest, never the key."""
    for name, tenant in settings.tenants.items():
        for secret in tenant.keys:
            key = ApiKey.parse(secret.get_secret_value())
            if key is not None:  # `load` has refused what is not in the format
                yield KeyRecord(
                    id=key.id,
                    tenant=name,
                    digest=digest(pepper, key.text),
                    last4=key.last4,
                    pepper_version=_PEPPER_VERSION,
                )


def _deployment(settings: Settings, catalog: ModelCatalog, name: str) -> Deployment:
    configured = settings.deployments[name]
    timeouts = settings.timeouts_of(configured)
    return Deployment(
        name=name,
        kind=Kind(configured.kind),
        endpoint=configured.endpoint,
        api=Api(configured.api),
        azure_name=configured.deployment,
        model=configured.model,
        api_version=configured.api_version or "",
        region=configured.region or "",
        data_zone=configured.data_zone or "",
        context_window=configured.context_window or catalog.facts(configured.model).context_window,
        timeouts=Timeouts(
            connect=timeouts.connect_s,
            first_byte=timeouts.first_byte_s,
            idle=timeouts.idle_s,
            total=timeouts.total_s,
        ),
    )


def _tiers(settings: Settings, model: str) -> Tiers:
    tiers = settings.models[model].tiers
    return tuple(tuple(Target(item.name, item.weight) for item in tier) for tier in tiers)
