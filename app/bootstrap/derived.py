"""What is made of the ledger's archive by the process that keeps it: exports, and anomalies."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import msgspec

from app.adapters.alerts.webhook import Webhook, webhook
from app.adapters.anomalies.found import Anomalies
from app.adapters.background import background
from app.adapters.identity.directory_keys import DirectoryKeys
from app.adapters.redis.batch import Batch
from app.adapters.usage_export.progress import Exports, Sink
from app.domain.ledger.export_plan import Every
from app.domain.quota.anomaly import AnomalyRules, UsageMeasure
from app.settings import Settings, Tracing
from app.settings.anomalies import Anomalies as AnomalySettings
from app.settings.usage_export import ExportFiles, ExportOtlp

if TYPE_CHECKING:
    from app.adapters.archive.progress import ArchiveProgress
    from app.adapters.usage_export.file_thread import FileThread
    from app.adapters.usage_export.otlp import OtlpExporter


@dataclass(frozen=True, slots=True)
class Derived:
    """What this process has found and exported; nothing, where another one keeps the archive."""

    anomalies: Anomalies = field(default_factory=Anomalies)
    exports: Exports = field(default_factory=Exports)
    hook: Webhook | None = None  # that anomalies are told by


class Source(msgspec.Struct, frozen=True):
    """What it is made of: the archive with all that its rows name, and what tells of something."""

    progress: ArchiveProgress
    keys: DirectoryKeys
    batch: Batch

    @property
    def directory(self) -> Path:
        """The archive's."""
        return self.progress.archive.directory


@asynccontextmanager
async def made_of_archive(source: Source, settings: Settings) -> AsyncIterator[Derived]:
    """As the settings want it; what they say is read once."""
    found, hook = Anomalies(), None
    sinks: dict[str, Sink] = {}
    async with AsyncExitStack() as opened:
        if settings.anomalies.enabled:
            hook = await opened.enter_async_context(_anomalies(source, settings, found))
        if settings.usage_export.files is not None:
            files = _files(source, settings.usage_export.files)
            sinks["files"] = await opened.enter_async_context(files)
        if settings.usage_export.otlp is not None:
            otlp = _otlp(source, settings.usage_export.otlp, settings.tracing)
            sinks["otlp"] = await opened.enter_async_context(otlp)
        yield Derived(found, Exports(sinks), hook)


@asynccontextmanager
async def _anomalies(
    source: Source, settings: Settings, found: Anomalies
) -> AsyncIterator[Webhook]:
    # SQLite, only for who keeps the archive.
    from app.adapters.anomalies.watch import (  # noqa: PLC0415
        AnomalyWatch,
        Watched,
        watching_anomalies,
    )

    wanted = settings.anomalies
    url = wanted.webhook or settings.budgets.webhook
    watched = Watched(source.directory, source.keys.tenants, anomaly_rules(wanted), wanted.every_s)
    async with webhook(source.batch, url.get_secret_value() if url else None) as hook:
        watch = AnomalyWatch(watched, source.progress.clock, hook, found)
        async with watching_anomalies(watch):
            yield hook


def anomaly_rules(wanted: AnomalySettings) -> AnomalyRules:
    """The section as the domain has it."""
    least = {
        UsageMeasure.REQUESTS: float(wanted.least.requests),
        UsageMeasure.TOKENS: float(wanted.least.tokens),
        UsageMeasure.DOLLARS: wanted.least.usd,
    }
    return AnomalyRules(wanted.score, wanted.history_weeks, wanted.least_history_weeks, least)


@asynccontextmanager
async def _files(source: Source, wanted: ExportFiles) -> AsyncIterator[FileThread]:
    from app.adapters.archive.export import Format  # noqa: PLC0415  # for who keeps the archive
    from app.adapters.usage_export.file_thread import (  # noqa: PLC0415  # as above
        FileThread,
        exporting_files,
    )
    from app.adapters.usage_export.files import FileExporter, FileOptions  # noqa: PLC0415  # too

    options = FileOptions(
        Path(wanted.directory), Format(wanted.format), Every(wanted.every), wanted.after_s
    )
    ended = Event()
    exporter = FileExporter(source.directory, options, ended)
    archive, progress = source.progress.archive, source.progress
    work = FileThread(exporter, lambda: archive.last_line, progress.moment, ended)
    async with exporting_files(work):
        yield work


@asynccontextmanager
async def _otlp(
    source: Source, wanted: ExportOtlp, tracing: Tracing
) -> AsyncIterator[OtlpExporter]:
    import httpx2  # noqa: PLC0415  # as below

    from app.adapters.usage_export.otlp import (  # noqa: PLC0415  # 70 ms of protobuf, for few
        OtlpExporter,
        OtlpOptions,
    )

    resource = {"service.name": tracing.service_name, **tracing.resource}
    options = OtlpOptions(wanted.url, resource, wanted.timeout_s)
    headers = {name: value.get_secret_value() for name, value in wanted.headers.items()}
    trust = ssl.create_default_context(cafile=wanted.ca) if wanted.ca else True
    async with httpx2.AsyncClient(
        headers=headers, verify=trust, timeout=wanted.timeout_s, trust_env=False
    ) as client:
        exporter = OtlpExporter(source.directory, client, source.progress.clock, options)
        async with background("usage export: otlp", exporter.keep_exporting):
            yield exporter
