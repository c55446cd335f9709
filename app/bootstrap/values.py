"""Settings as the domain's values."""

from __future__ import annotations

from app.domain.capacity.capacity_book import Configured
from app.domain.capacity.paygo_window import PaygoCapacity
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.routing.deployment import Api, Deployment, Fleet, Kind, Target, Tiers, Timeouts
from app.settings import Deployment as ConfiguredDeployment
from app.settings import ModelCatalog, Settings


def fleet_of(settings: Settings, catalog: ModelCatalog) -> Fleet:
    """All deployments, and the tiers of every model."""
    deployments = {name: _deployment(settings, catalog, name) for name in settings.deployments}
    models = {name: _tiers(settings, name) for name in settings.models}
    return Fleet(deployments, models)


def base_models(fleet: Fleet) -> set[str]:
    """Whose vocabularies prompts are counted in."""
    return {each.model for each in fleet.deployments.values()}


def capacities_of(settings: Settings, catalog: ModelCatalog) -> dict[str, Configured]:
    """What each deployment can do, by the model catalogue and the config."""
    return {name: _capacity(each, catalog) for name, each in settings.deployments.items()}


def _capacity(configured: ConfiguredDeployment, catalog: ModelCatalog) -> Configured:
    if configured.kind != "ptu":
        return PaygoCapacity(configured.tpm, configured.rpm)
    facts = catalog.facts(configured.model)
    tpm = facts.input_tpm_per_ptu or catalog.defaults.input_tpm_per_ptu or 1
    return PtuCapacity(
        tokens_per_s=tpm * (configured.ptus or 1) / 60,
        output_ratio=facts.output_ratio,
        cached_weight=facts.cached_weight,
    )


def _deployment(settings: Settings, catalog: ModelCatalog, name: str) -> Deployment:
    configured = settings.deployments[name]
    facts = catalog.facts(configured.model)
    timeouts = settings.timeouts_of(configured, reasons=facts.reasons)
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
        context_window=configured.context_window or facts.context_window,
        tpm=configured.tpm,
        timeouts=Timeouts(
            connect=timeouts.connect_s,
            first_byte=timeouts.first_byte_s,
            idle=timeouts.idle_s,
            total=timeouts.total_s,
        ),
        refuses=frozenset(configured.refuses),
        reasons=facts.reasons,
    )


def _tiers(settings: Settings, model: str) -> Tiers:
    tiers = settings.tiers_of(model)
    return tuple(tuple(Target(item.name, item.weight) for item in tier) for tier in tiers)
