"""One config, both sides: the deployments as the simulator plays them, and pointed at it."""

from __future__ import annotations

from typing import Final, Protocol

from app.settings import ModelCatalog, Settings, load_catalog
from app.settings.upstream import Deployment
from app.simulator.deployment import SimulatedDeployment

#: The simulator takes whatever comes. It is no secret, and too short to be kept out of the log,
#: where a word that is a key would be missing from every line.
ANY_KEY: Final = "any"


class Reloadable(Protocol):
    """What a configuration is put in force by."""

    async def reload(self, settings: Settings) -> None:
        """Put it in force, or raise and leave the one that is."""
        ...


class NotSimulated(Exception):
    """A reloaded configuration has other deployments than those that are simulated."""


class Simulated:
    """A gateway whose deployments are simulated: what it reloads stays pointed at the simulator."""

    def __init__(self, process: Reloadable, settings: Settings, base_url: str) -> None:
        """`settings` are those that the simulator at `base_url` was started with."""
        self._process = process
        self._base_url = base_url
        self._catalog = load_catalog()
        self._deployments = simulated_deployments(settings, self._catalog)

    async def reload(self, settings: Settings) -> None:
        """Put it in force. Raises NotSimulated where deployments differ, and what is raised below.

        The simulator's buckets and faults belong to the deployments that it was started with.
        """
        if simulated_deployments(settings, self._catalog) != self._deployments:
            msg = "deployments, simulator: the simulated ones change with the next start alone"
            raise NotSimulated(msg)
        await self._process.reload(pointed_at(settings, self._base_url))


def reloading(gateway: Reloadable, settings: Settings, base_url: str | None) -> Reloadable:
    """What the gateway is reloaded by, whose deployments are simulated there; None: they are not.

    `settings` are those that it was started with.
    """
    return gateway if base_url is None else Simulated(gateway, settings, base_url)


def simulated_deployments(settings: Settings, catalog: ModelCatalog) -> list[SimulatedDeployment]:
    """Every deployment of the config, with its model's sizing."""
    return [_simulated(settings, catalog, item) for item in settings.deployments.values()]


def pointed_at(settings: Settings, base_url: str | None) -> Settings:
    """The same settings, every deployment reached at `base_url/<name>` and with a key.

    Nothing simulated asks a real identity provider for tokens. None: nothing is simulated.
    """
    if base_url is None:
        return settings
    deployments = {
        name: item.model_copy(
            update={"endpoint": _endpoint(item, base_url), "auth": _with_key(item)}
        )
        for name, item in settings.deployments.items()
    }
    return settings.model_copy(update={"deployments": deployments})


def _endpoint(deployment: Deployment, base_url: str) -> str:
    version = "/v1" if deployment.api == "openai" else ""
    return f"{base_url}/{deployment.name}{version}"


def _with_key(deployment: Deployment) -> object:
    if deployment.auth.api_key is not None:
        return deployment.auth
    return type(deployment.auth).model_validate({"api_key": ANY_KEY})


def _simulated(
    settings: Settings, catalog: ModelCatalog, deployment: Deployment
) -> SimulatedDeployment:
    facts = catalog.facts(deployment.model)
    sizing = facts.input_tpm_per_ptu or catalog.defaults.input_tpm_per_ptu
    behaviour = settings.simulator_of(deployment)
    key = deployment.auth.api_key
    return SimulatedDeployment(
        name=deployment.name,
        kind=deployment.kind,
        model=deployment.model,
        deployment=deployment.deployment,
        api=deployment.api,
        api_key=key.get_secret_value() if key else None,
        ptus=deployment.ptus,
        tpm=deployment.tpm,
        rpm=deployment.rpm,
        input_tpm_per_ptu=sizing or 0.0,
        output_ratio=facts.output_ratio,
        cached_weight=facts.cached_weight,
        context_window=deployment.context_window or facts.context_window,
        max_output_tokens=facts.max_output_tokens if facts.known else None,
        ttft_ms=behaviour.ttft_ms,
        tpot_ms=behaviour.tpot_ms,
        ptu_window_s=behaviour.ptu_window_s,
        region=deployment.region or "eastus",
        seed=behaviour.seed,
    )
