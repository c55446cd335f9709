"""The configuration as frozen values: what `spillgate serve` is given.

Build one with `load` (a file) or `build` (a mapping): these also apply the rules between fields
and sections, which the classes alone do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from app.settings.anomalies import Anomalies
from app.settings.billing import Billing
from app.settings.caching import Cache
from app.settings.callers import EntraCallers
from app.settings.content_safety import ContentSafety
from app.settings.explain import Explain
from app.settings.logs import LogRules
from app.settings.metrics import Metrics
from app.settings.policy import InputPolicyRules
from app.settings.pricing import Prices
from app.settings.process import Admin, Budgets, Keys, Ledger, Limits, Listen, Redis
from app.settings.routing import Routing
from app.settings.secrets import Secrets
from app.settings.section import Name, Section
from app.settings.tenancy import Model, Tenant
from app.settings.tiers import WeightedTarget
from app.settings.tracing import Tracing
from app.settings.upstream import Deployment, Simulator, Timeouts, UpstreamTimeouts
from app.settings.usage_export import UsageExport


class Settings(Section):
    """The whole configuration."""

    listen: Listen = Listen()
    redis: Redis | None = None
    """None: an embedded server is started."""
    ledger: Ledger | None = None
    budgets: Budgets = Budgets()
    usage_export: UsageExport = UsageExport()
    anomalies: Anomalies = Anomalies()
    admin: Admin | None = None
    """The owner of the admin API; `serve` does not start without it."""
    keys: Keys = Keys()
    secrets: Secrets = Secrets()
    entra: EntraCallers | None = None
    """None: keys are the only way in."""
    deployments: Annotated[dict[Name, Deployment], Field(min_length=1)]
    """Upstream deployments, by name."""
    models: Annotated[dict[Name, Model], Field(min_length=1)]
    """What applications ask for, by name."""
    tenants: dict[Name, Tenant] = Field(default_factory=dict)
    """Who may ask, by name: seeds, which the admin API owns once they are there."""
    explain: Explain = Explain()
    logs: LogRules = LogRules()
    tracing: Tracing = Tracing()
    metrics: Metrics = Metrics()
    prices: Prices = Prices()
    billing: Billing = Billing()
    cache: Cache = Cache()
    policy: InputPolicyRules = InputPolicyRules()
    content_safety: ContentSafety | None = None
    """None: no text is sent there."""
    simulator: Simulator = Simulator()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    routing: Routing = Routing()

    @model_validator(mode="before")
    @classmethod
    def _entries_know_their_names(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        named = {part: _with_names(value[part], part) for part in _NAMED if value.get(part)}
        return {**value, **named}

    def served_as(self, model: str) -> str:
        """The model that serves a name: itself, or what it stands for."""
        while (alias := self.models[model].alias) is not None:
            model = alias  # `load` refuses those that lead nowhere or in a circle
        return model

    def tiers_of(self, model: str) -> tuple[tuple[WeightedTarget, ...], ...]:
        """The tiers that serve a name."""
        return self.models[self.served_as(model)].tiers

    def timeouts_of(self, deployment: Deployment, *, reasons: bool = False) -> UpstreamTimeouts:
        """The deadlines that hold for `deployment`, whose model may reason in silence."""
        common = {name: getattr(self.timeouts, name) for name in UpstreamTimeouts.model_fields}
        if reasons:
            for name in ("first_byte_s", "idle_s"):
                common[name] = max(common[name], self.timeouts.reasoning_silence_s)
        return UpstreamTimeouts(**{**common, **deployment.timeouts.model_dump(exclude_none=True)})

    def simulator_of(self, deployment: Deployment) -> Simulator:
        """How `deployment` behaves when it is simulated."""
        own = deployment.simulator.model_dump(exclude_none=True)
        return Simulator(**{**self.simulator.model_dump(), **own})


_NAMED: Final = ("deployments", "models", "tenants")


def _with_names(entries: object, part: str) -> object:
    """Each mapping of `entries` with its key as `name`; what is no mapping stays as it is."""
    if not isinstance(entries, Mapping):
        return entries
    return {key: _with_name(key, entry, part) for key, entry in entries.items()}


def _with_name(key: object, entry: object, part: str) -> object:
    if not isinstance(entry, Mapping):
        return entry
    named: dict[Any, Any] = {**entry, "name": key}
    if part == "deployments" and named.get("deployment") is None:
        named["deployment"] = key
    return named
