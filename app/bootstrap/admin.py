"""The admin plane of a process: what its API works with."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from fastapi import FastAPI
from opentelemetry.trace import TracerProvider

from app.adapters.anomalies.report import read_report
from app.adapters.archive.audit_log import archived_records
from app.adapters.archive.reader import ArchiveReader
from app.adapters.archive.recent import RecentRows
from app.adapters.archive.usage_reader import ArchiveUsage
from app.adapters.plan_runner import PlanRunner
from app.adapters.redis.measured_errors import RedisMeasuredErrors
from app.adapters.wrong_hits import ToldWrong
from app.api.admin.application import create_admin
from app.api.admin.deployments import DeploymentList
from app.api.admin.services import AdminServices, CacheServices, MetricsPage
from app.api.console.services import ConsoleServices
from app.api.readiness import Readiness
from app.bootstrap.billing import billing_rules
from app.bootstrap.caching import Cached
from app.bootstrap.plan_defaults import COMMAND, ConfiguredPlanner
from app.bootstrap.state import State
from app.settings import Ledger, Settings, load_catalog


class Telemetry(msgspec.Struct, frozen=True):
    """By what the process is watched; `tracing` None: no spans of the admin API."""

    readiness: Readiness
    metrics: MetricsPage
    tracing: TracerProvider | None


def admin_plane(
    state: State,
    settings: Callable[[], Settings],
    *,
    cached: Cached,
    deployments: Callable[[], DeploymentList],
    telemetry: Telemetry,
    data_url: Callable[[], str],
) -> FastAPI:
    """The application, with the console; `settings` are those in force.

    `data_url` is where the data plane listens.
    """
    from app.api.console.application import create_console  # noqa: PLC0415  # with its templates

    archive, catalog = (settings().ledger or Ledger()).archive, load_catalog()

    def owner_key() -> str | None:
        admin = settings().admin
        return admin.key.get_secret_value() if admin else None

    services = AdminServices(
        store=state.directory,
        pepper=lambda: state.directory.in_force.pepper,
        usage=ArchiveUsage(ArchiveReader(Path(archive))),
        owner_key=owner_key,
        clock=state.clock,
        randomness=secrets.token_bytes,
        deployments=deployments,
        readiness=telemetry.readiness,
        explanations=state.explanations,
        cache=_cache(state, cached),
        planner=ConfiguredPlanner(PlanRunner(COMMAND, Path(archive), state.clock.unix), settings),
        forget_responses=state.owners.forget_all,
        models=lambda: settings().models,
        log_rules=lambda: settings().logs,
        billing=lambda: billing_rules(settings(), catalog),
        metrics=telemetry.metrics,
        tracing=telemetry.tracing,
        audit_end=state.directory.audit_end,
        audit_copy=lambda: archived_records(Path(archive)),
        anomalies=lambda: read_report(Path(archive)),
    )
    shown = ConsoleServices(services, state.accounts, RecentRows(Path(archive)), data_url)
    return create_admin(services, partial(create_console, shown))


def _cache(state: State, cached: Cached) -> CacheServices:
    def errors() -> RedisMeasuredErrors | None:
        return cached.meaning.measured.errors if cached.meaning is not None else None

    wrong_hits = ToldWrong(cached.answers, state.explanations, errors)
    return CacheServices(cached.answers, wrong_hits, errors)
