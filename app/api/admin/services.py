"""What the admin API works with; the composition root puts it together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from opentelemetry.trace import TracerProvider

from app.api.admin.deployments import DeploymentList
from app.api.admin.reading import UsageReader
from app.api.admin.roles import Authentication
from app.api.readiness import Readiness
from app.domain.billing.rules import BillingRules
from app.domain.explain.explanation import Explanation
from app.domain.identity.audit import ChainEnd
from app.domain.identity.directory import AuditRecord
from app.domain.quota.anomaly import AnomalyReport
from app.planner.sizing.job import PlanAsk, PlanJob
from app.ports import Clock, DirectoryStore, KeptAnswers, MeasuredErrors, WrongHits
from app.settings.logs import LogRules


class Planner(Protocol):
    """Plans of how many PTUs are best, one at a time."""

    @property
    def current(self) -> PlanJob | None:
        """The plan under way, else the last one."""
        ...

    def start(self, ask: PlanAsk, by: str = "") -> PlanJob:
        """Begin one of somebody's. Raises AlreadyRunning, MalformedRequest."""
        ...

    async def cancel(self) -> PlanJob | None:
        """End the one under way; what the last one is now."""
        ...


class ExplanationReader(Protocol):
    """Explanations of requests, for as long as they are kept."""

    async def find(self, request_id: str, tenants: Iterable[str]) -> Explanation | None:
        """The latest request with this id, of these tenants. Raises StoreUnavailable."""
        ...


#: By the `Accept` header: the content type, and the page.
MetricsPage = Callable[[str], Awaitable[tuple[str, bytes]]]


@dataclass(frozen=True, slots=True)
class CacheServices:
    """What looks after kept answers; `errors` gives None while nothing is answered by meaning."""

    kept: KeptAnswers
    wrong_hits: WrongHits
    errors: Callable[[], MeasuredErrors | None]


@dataclass(frozen=True, slots=True)
class AdminServices:
    """Callables are asked at each request, so that a reload is seen."""

    store: DirectoryStore
    pepper: Callable[[], bytes]  # of the digests of keys
    usage: UsageReader
    owner_key: Callable[[], str | None]  # None: nobody is the owner
    clock: Clock
    randomness: Callable[[int], bytes]  # so many bytes that nobody can guess
    deployments: Callable[[], DeploymentList]
    readiness: Readiness
    explanations: ExplanationReader
    cache: CacheServices
    planner: Planner
    #: Has no stored response of a tenant be anybody's any more. Raises StoreUnavailable.
    forget_responses: Callable[[str], Awaitable[None]]
    models: Callable[[], Collection[str]] | None = None  # names that may be given; None: any
    audit_end: Callable[[], Awaitable[ChainEnd]] | None = None  # where the store tells it
    metrics: MetricsPage | None = None
    #: The durable copy of the audit log, as it was written; blocking, to be called in a thread.
    audit_copy: Callable[[], Iterable[AuditRecord]] = tuple
    #: What was found last; blocking, to be called in a thread.
    anomalies: Callable[[], AnomalyReport] = AnomalyReport
    tracing: TracerProvider | None = None  # None: no spans

    #: How months are billed, by the configuration in force.
    billing: Callable[[], BillingRules] = BillingRules

    #: What the configuration in force says of the log.
    log_rules: Callable[[], LogRules] = LogRules

    @property
    def authentication(self) -> Authentication:
        """Who calls."""
        return Authentication(
            lambda: self.store.current, self.pepper, self.owner_key, self.clock.unix
        )
