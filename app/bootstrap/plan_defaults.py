"""What the configuration says of a plan that is asked for: base model, kind, prices."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec

from app.adapters.plan_runner import PlanRunner
from app.errors import MalformedRequest
from app.planner.sizing.job import PlanAsk, PlanJob
from app.settings import Deployment, Settings

#: How a plan's process is started; options follow.
COMMAND: Final = (sys.executable, "-P", "-m", "app.bootstrap.plan_process", "--json", "--beside")


class ConfiguredPlanner(msgspec.Struct, frozen=True):
    """A Planner of the admin API, by the settings in force."""

    runner: PlanRunner
    settings: Callable[[], Settings]

    @property
    def current(self) -> PlanJob | None:
        """The plan under way, else the last one."""
        return self.runner.current

    def start(self, ask: PlanAsk, by: str = "") -> PlanJob:
        """Begin a plan. Raises MalformedRequest for an unknown model, AlreadyRunning."""
        return self.runner.start(completed(ask, self.settings()), by)

    async def cancel(self) -> PlanJob | None:
        """End the one under way."""
        return await self.runner.cancel()


def completed(ask: PlanAsk, settings: Settings) -> PlanAsk:
    """What is not said is as the model's PTU deployment is, else as its first deployment.

    The ledger has what callers named, which may be an alias. Raises MalformedRequest.
    """
    if ask.model not in settings.models:
        raise MalformedRequest("model: is none of the configured models.", param="model")
    names = [target.name for tier in settings.tiers_of(ask.model) for target in tier]
    deployments = [settings.deployments[name] for name in names]
    ptus = [each for each in deployments if each.kind == "ptu"]
    found = (ptus or deployments)[0]
    defaults = {"base_model": found.model, **_prices(settings, found)}
    if found.data_zone and found.api != "openai":
        defaults["kind"] = "datazone"
    missing = {name: of for name, of in defaults.items() if getattr(ask, name) is None}
    return replace(ask, **missing)


def _prices(settings: Settings, deployment: Deployment) -> dict[str, Any]:
    """Its reservation's, and the hour's that holds for all."""
    bought = settings.billing.ptus.get(deployment.name)
    found: dict[str, Any] = {"usd_per_ptu_hour": settings.prices.usd_per_ptu_hour}
    if bought is not None and bought.usd_per_ptu is not None:
        found[f"usd_per_ptu_{bought.term.removesuffix('ly')}"] = bought.usd_per_ptu
    return found
