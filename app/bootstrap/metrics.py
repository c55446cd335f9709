"""What of a process's state is told at `/metrics`: a small reader for each family.

Each is asked on the event loop whenever somebody scrapes, and does no I/O.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final

import msgspec

from app.adapters.accounts.leases import Try
from app.adapters.metrics import families as f
from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.itself import read_process
from app.adapters.metrics.known import Known
from app.adapters.redis.answers_keeping import Fate
from app.adapters.redis.watched import Breakers
from app.bootstrap.prices import ptu_hours
from app.bootstrap.process import Process
from app.bootstrap.state import State
from app.bootstrap.version import own_version
from app.domain.cache.error_rate import Comparison
from app.domain.identity.tenant import LossPolicy
from app.domain.routing.deployment import Kind
from app.domain.routing.health import Status

if TYPE_CHECKING:
    from app.adapters.alerts.webhook import Webhook
    from app.adapters.azure.entra import EntraCredential
    from app.adapters.identity.signing_keys import SigningKeys
    from app.adapters.redis.measured_errors import MeasuredRate
    from app.adapters.usage_export.progress import Exports

Values = dict[tuple[str, ...], float]

#: The names of ways to Redis by what they are for: the first that a name begins with.
_WAYS: Final = (
    ("redis: accounts", "accounts"),
    ("redis: ledger", "ledger"),
    ("redis: cache", "cache"),
)
#: What holds while a dependency is away, where it is not a tenant's own choice.
_POLICIES: Final = {"redis": "bypass", "ledger": "retry", "cache": "bypass"}


def dependency_of(way: str) -> str:
    """What a way to Redis is for, as metrics call it."""
    return next((name for begins, name in _WAYS if way.startswith(begins)), "redis")


def read_all(metrics: Metrics, process: Process, state: State, breakers: Breakers) -> None:
    """Have all of them read."""
    metrics.known = lambda: Known(process.current.fleet, process.resources.keys.tenants())
    _Deployments(process, metrics).add_to(metrics)
    _Dependencies(process, state, breakers).add_to(metrics)
    _Ledger(state, metrics).add_to(metrics)
    _Cache(process).add_to(metrics)
    _Itself(process).add_to(metrics)


class _Deployments(msgspec.Struct, frozen=True):
    process: Process
    metrics: Metrics

    def add_to(self, metrics: Metrics) -> None:
        add = metrics.readings.add
        add(f.PTU_UTILIZATION, self.utilizations)
        add(f.PTU_SHARE, self.shares)
        add(f.HOLD, self.holds)
        if self.process.serves:  # who asks no deployment thinks nothing of it
            add(f.HEALTH, self.health)
        add(f.DEPLOYMENT_INFO, self.info)
        add(f.CAPACITY, self.capacities)
        add(f.PTU_PRICE, self.prices)
        add(f.QUEUE, lambda: {(): self.process.resources.waiting.waiting})
        add(f.EXPIRY, self.retirements)

    @property
    def now(self) -> float:
        return self.process.resources.clock.now()

    def _ptus(self) -> Iterator[str]:
        deployments = self.process.current.fleet.deployments.values()
        return (each.name for each in deployments if each.kind is Kind.PTU)

    def utilizations(self) -> Values:
        used = self.process.resources.capacity.utilizations(self.now)
        return {(name,): used[name] for name in self._ptus() if name in used}

    def shares(self) -> Values:
        """Those of tenants that have no series of their own are together."""
        found: Values = {}
        for name in self._ptus():
            parts = self.process.resources.capacity.parts(name, self.now)
            for tenant, part in parts.items():
                labels = name, self.metrics.tenants(tenant)
                found[labels] = found.get(labels, 0.0) + part
        return found

    def holds(self) -> Values:
        now, holds = self.now, self.process.resources.holds.holds()
        names = self.process.current.fleet.deployments
        return {(name,): max(0.0, holds.get(name, now) - now) for name in names}

    def health(self) -> Values:
        now, health = self.now, self.process.resources.health
        found: Values = {}
        for name in self.process.current.fleet.deployments:
            status = health.state(name, now).status
            found |= {(name, each.value): float(each is status) for each in Status}
        return found

    def info(self) -> Values:
        deployments = self.process.current.fleet.deployments.values()
        labels = ((d.name, d.kind.value, d.model, d.region, d.data_zone) for d in deployments)
        return dict.fromkeys(labels, 1.0)

    def capacities(self) -> Values:
        found = self.process.resources.capacity.capacities(self.now)
        return {(name,): tpm for name, tpm in found.items()}

    def prices(self) -> Values:
        resources, settings = self.process.resources, self.process.current.settings
        today = datetime.fromtimestamp(resources.clock.unix(), UTC).date()
        found = ptu_hours(settings, resources.catalog, today)
        return {(name,): dollars for name, dollars in found.items()}

    def retirements(self) -> Values:
        configured = self.process.current.settings.deployments.values()
        return {
            ("retirement", each.name): datetime.combine(each.retires, time(), UTC).timestamp()
            for each in configured
            if each.retires is not None
        }


class _Dependencies(msgspec.Struct, frozen=True):
    process: Process
    state: State
    breakers: Breakers

    def add_to(self, metrics: Metrics) -> None:
        metrics.readings.add(f.DEPENDENCY_UP, self.up)
        metrics.readings.add(f.DEPENDENCY_FAILURES, self.failures)
        metrics.readings.add(f.LOST, self.lost)
        metrics.readings.add(f.EXPIRY, self.tokens)

    def up(self) -> Values:
        found: Values = {
            (name,): float(answers) for name, answers in self.breakers.answering().items()
        }
        hook = self._hook()
        found["webhook",] = float(self.state.alerts.is_heard and (hook is None or hook.is_heard))
        meaning = self.process.resources.cached.meaning
        if meaning is not None:
            found["embedder",] = float(meaning.embedder.is_well)
        if asked := self._entra():
            found["entra",] = float(all(each.is_well for each in asked))
        if exports := self._exports():
            found["usage_export",] = float(exports.is_well)
        if safety := self.process.resources.safety:
            found["content_safety",] = float(all(p.standing.is_well for p in safety.values()))
        return found

    def failures(self) -> Values:
        found: Values = {
            (name, _POLICIES[name]): float(count)
            for name, count in self.breakers.failures().items()
            if name in _POLICIES
        }
        out_of_reach = self.state.accounts.out_of_reach_total
        found |= {("accounts", each.value): float(out_of_reach[each]) for each in LossPolicy}
        found["webhook", "drop"] = sum(self._untold())
        meaning = self.process.resources.cached.meaning
        if meaning is not None:
            found["embedder", "bypass"] = float(meaning.embedder.troubles_total.total())
        if asked := self._entra():
            found["entra", "retry"] = float(sum(each.failures_total for each in asked))
        if exports := self._exports():
            found["usage_export", "retry"] = float(exports.failures_total)
        for place in self.process.resources.safety.values():
            for failure, count in place.standing.unchecked_total.items():
                labels = "content_safety", f"fail_{failure.value}"
                found[labels] = found.get(labels, 0.0) + count
        return found

    def lost(self) -> Values:
        budgets, anomalies = self._untold()
        traced, exports = self.process.resources.traced, self._exports()
        return {
            ("explanation",): float(self.state.explanations.dropped_total),
            ("span",): float(traced.lost_total if traced is not None else 0),
            ("log_record",): float(self.process.logs.dropped_total),
            ("budget_alert",): budgets,
            ("anomaly",): anomalies,
            ("usage_row",): float(exports.rejected_total if exports else 0),
        }

    def _untold(self) -> tuple[float, float]:
        """Alerts of budgets, and anomalies, that no webhook took."""
        hook = self._hook()
        return float(self.state.alerts.failed_total), float(hook.failed_total if hook else 0)

    def _hook(self) -> Webhook | None:
        derived = self.state.derived
        return derived.hook if derived is not None else None

    def _exports(self) -> Exports | None:
        """Those of this process, if it has any."""
        derived = self.state.derived
        return derived.exports if derived is not None and derived.exports.sinks else None

    def tokens(self) -> Values:
        """By the identity's client id; of several scopes' the first to end."""
        found: Values = {}
        for identity, each in self.process.resources.credentials.items():
            if each.expires_on:
                labels = "token", identity.client_id or "default"
                found[labels] = min(found.get(labels, each.expires_on), each.expires_on)
        return found

    def _entra(self) -> list[EntraCredential | SigningKeys]:
        resources = self.process.resources
        return [*resources.credentials.values(), *resources.signing_keys.values()]


class _Ledger(msgspec.Struct, frozen=True):
    state: State
    metrics: Metrics

    def add_to(self, metrics: Metrics) -> None:
        accounts = self.state.accounts
        metrics.readings.add(f.LEDGER_WAITING, lambda: {(): accounts.unsettled})
        metrics.readings.add(f.LEDGER_DROPPED, self.dropped)
        metrics.readings.add(f.BACKGROUND_CHARGES, self.background)
        metrics.readings.add(f.LEASES, self.leases)
        metrics.readings.add(f.ARCHIVE_AGE, self.copied)
        metrics.readings.add(f.LEDGER_DRIFT, self.drift)
        metrics.readings.add(f.EXPORT_AGE, self.exported)
        metrics.readings.add(f.ANOMALY, self.anomalies)

    def dropped(self) -> Values:
        accounts = self.state.accounts
        return {
            ("refusal",): float(accounts.dropped_total),
            ("refused",): float(accounts.settlements.refused_total),
            ("unspooled",): float(accounts.settlements.unspooled_total),
        }

    def background(self) -> Values:
        charges = self.state.background
        return {
            ("kept",): float(charges.kept_total),
            ("corrected",): float(charges.taken_total),
            ("lost",): float(charges.lost_total),
        }

    def leases(self) -> Values:
        tried = self.state.accounts.leases.tried_total
        return {(each.value,): float(tried[each]) for each in Try}

    def drift(self) -> Values:
        dollars = self.state.kept.drift.dollars if self.state.kept is not None else None
        return {} if dollars is None else {(): dollars}

    def copied(self) -> Values:
        kept = self.state.kept
        return {} if kept is None else {(): kept.progress.complete_until()}

    def exported(self) -> Values:
        derived = self.state.derived
        if derived is None:
            return {}
        return {(sink,): at for sink, at in derived.exports.timestamps().items()}

    def anomalies(self) -> Values:
        """Of tenants that have no series of their own the highest."""
        found: Values = {}
        derived = self.state.derived
        scores = derived.anomalies.scores() if derived is not None else {}
        for (tenant, measure), score in scores.items():
            labels = self.metrics.tenants(tenant), measure.value
            found[labels] = max(score, found.get(labels, score))
        return found


class _Cache(msgspec.Struct, frozen=True):
    process: Process

    def add_to(self, metrics: Metrics) -> None:
        answers = self.process.resources.cached.answers
        metrics.readings.add(f.CACHE_DAMAGED, lambda: {(): answers.damaged_total})
        metrics.readings.add(f.CACHE_KEPT, self.kept)
        metrics.readings.add(f.CACHE_COMPARISONS, self.comparisons)
        metrics.readings.add(f.CACHE_ERROR, self.error)

    def kept(self) -> Values:
        fates = self.process.resources.cached.answers.fates
        return {(fate.value,): float(fates[fate]) for fate in Fate}

    def comparisons(self) -> Values:
        meaning = self.process.resources.cached.meaning
        if meaning is None:
            return {}
        counted = meaning.measured.errors.compared_total
        told: Values = {(each.value,): float(counted[each]) for each in Comparison}
        return {**told, ("given_up",): float(meaning.measured.measuring.given_up_total)}

    def error(self) -> Values:
        meaning = self.process.resources.cached.meaning
        return {} if meaning is None else _error(meaning.measured.errors.overall())


def _error(found: MeasuredRate) -> Values:
    if found.bound is None:
        return {}
    told: Values = {("allowed",): found.bound}
    if found.rate.samples:
        told |= {("estimate",): found.rate.rate, ("upper",): found.rate.interval.high}
    return told


class _Itself(msgspec.Struct, frozen=True):
    process: Process

    def add_to(self, metrics: Metrics) -> None:
        add, process = metrics.readings.add, self.process
        add(f.IN_FLIGHT, lambda: {(): process.data_plane.in_flight})
        add(f.CONNECTIONS, self.connections)
        add(f.CLIENTS, self.clients)
        add(f.CLIENTS_REFUSED, self.clients_refused)
        add(f.EXPIRY, self.certificates)
        add(f.CERTIFICATE_OK, self.certificates_ok)
        add(f.CONFIG_GENERATION, lambda: {(): process.generation})
        add(f.CONFIG_RELOAD_OK, self.reload_ok)
        add(f.CONFIG_HASH, self.config_hash)
        add(f.WORKERS, lambda: {(): float(process.serves)})
        add(f.DRAINING, lambda: {(): float(process.readiness.draining)})
        read_process(metrics.readings)
        add(f.BUILD_INFO, lambda: {(own_version(), platform.python_version()): 1.0})

    def connections(self) -> Values:
        found = self.process.resources.transport.connections()
        return {("active",): found.active, ("idle",): found.idle}

    def clients(self) -> Values:
        return {(name,): each.connections for name, each in self.process.listeners.items()}

    def clients_refused(self) -> Values:
        return {(name,): each.refused_total for name, each in self.process.listeners.items()}

    def certificates(self) -> Values:
        found = self.process.certificates.items()
        return {("certificate", name): each.ends for name, each in found}

    def certificates_ok(self) -> Values:
        return {(name,): float(each.is_last) for name, each in self.process.certificates.items()}

    def config_hash(self) -> Values:
        file = self.process.file
        return {(): int.from_bytes(file.digest[:6], "big")} if file and file.digest else {}

    def reload_ok(self) -> Values:
        file = self.process.file
        return {(): float(file is None or file.is_last)}
