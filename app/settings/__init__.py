"""Configuration: what a file and the environment say, checked as a whole."""

from app.settings.caching import Cache, CacheRules
from app.settings.callers import EntraCallers, TenantCallers
from app.settings.explain import Explain
from app.settings.loader import build, environment, load, problems
from app.settings.model import Settings
from app.settings.model_catalog import ModelCatalog, ModelFacts, TokenPrices, load_catalog
from app.settings.pricing import MaximumPrice, PriceOverride, Prices
from app.settings.problem import ConfigProblems, Problem
from app.settings.process import Admin, Keys, Ledger, Limits, Listen, Redis, Tls
from app.settings.routing import Routing
from app.settings.tenancy import Model, SpillBudget, Tenant, TenantLimits
from app.settings.tiers import WeightedTarget
from app.settings.tracing import AlwaysTraced, TraceExport, Tracing
from app.settings.upstream import (
    Auth,
    Deployment,
    DeploymentSimulator,
    DeploymentTimeouts,
    Entra,
    Simulator,
    Timeouts,
    UpstreamTimeouts,
)

__all__ = [
    "Admin",
    "AlwaysTraced",
    "Auth",
    "Cache",
    "CacheRules",
    "ConfigProblems",
    "Deployment",
    "DeploymentSimulator",
    "DeploymentTimeouts",
    "Entra",
    "EntraCallers",
    "Explain",
    "Keys",
    "Ledger",
    "Limits",
    "Listen",
    "MaximumPrice",
    "Model",
    "ModelCatalog",
    "ModelFacts",
    "PriceOverride",
    "Prices",
    "Problem",
    "Redis",
    "Routing",
    "Settings",
    "Simulator",
    "SpillBudget",
    "Tenant",
    "TenantCallers",
    "TenantLimits",
    "Timeouts",
    "Tls",
    "TokenPrices",
    "TraceExport",
    "Tracing",
    "UpstreamTimeouts",
    "WeightedTarget",
    "build",
    "environment",
    "load",
    "load_catalog",
    "problems",
]
