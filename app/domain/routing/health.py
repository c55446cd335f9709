"""Which deployments fail so much that others should be asked instead, and how they come back.

Envoy's outlier detection (its reference, 2026-11): five failures in a row, or a high rate of them,
eject a deployment for 30 s, and for longer each time that it is ejected again. Afterwards one
request at a time probes it; a success lets it back with a growing part of its weight.

What counts is whether the deployment could serve: 5xx, 408, lost connections, and a refusal of the
gateway's own credential or deployment name. A refusal of the gateway is one failure and does not
eject at once, because one tenant's odd request must not take a deployment from all others. Silences
may be the request's own, and some refusals those of one operation (`doubts.py`). A 429 and what is
wrong with a request itself are neither failure nor success and are not told: otherwise a tenant's
malformed requests would keep a dead deployment in.

Times are seconds of one clock that never runs backwards. A request that was asked before a
deployment was ejected, or before it came back, says nothing of it since then and is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from types import MappingProxyType, TracebackType
from typing import Final


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """When a deployment is ejected and how it returns; times in seconds, parts from 0 to 1."""

    failures_in_a_row: int = 5
    #: So many of 50 always hold five in a row: this rule is for policies that allow longer rows.
    failure_rate: float = 0.85
    least_requests: int = 50
    sweep_s: float = 10.0
    ejection_s: float = 30.0
    longest_ejection_s: float = 300.0
    #: Comes on top, so that what was ejected together is not probed together.
    jitter: float = 0.2
    most_ejected: float = 0.5
    #: A probe that is not over by then does not keep others from probing, too: it may be a request
    #: whose answer takes minutes.
    longest_probe_s: float = 10.0
    ramp_s: float = 10.0
    ramp_from: float = 0.1


class Status(StrEnum):
    """What is thought of a deployment."""

    HEALTHY = "healthy"
    EJECTED = "ejected"
    HALF_OPEN = "half_open"  # may be probed by one request at a time
    RAMPING = "ramping"


@dataclass(frozen=True, slots=True)
class State:
    """`until` is the end of an ejection or ramp; `factor` is the part of its weight that counts."""

    status: Status
    until: float = 0.0
    factor: float = 1.0


HEALTHY: Final = State(Status.HEALTHY)


@dataclass(frozen=True, slots=True)
class Availability:
    """Of a tier: who is absent, until when; and whose weight counts in part. Others are well."""

    absent: Mapping[str, float]
    factors: Mapping[str, float]


_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})
ALL_AVAILABLE: Final = Availability(_NOTHING, _NOTHING)
_NO_PROBE: Final = nullcontext()


@dataclass(slots=True)
class _Record:
    """A deployment that has failed lately."""

    row: int = 0  # failures since the last success
    breaks: int = 0  # answers broken off since the last complete one
    ejections: int = 0
    ejected_at: float = -inf
    until: float = -inf
    ramp_began: float | None = None
    probes: int = 0
    probed_at: float = -inf  # the last one's beginning
    sweep_ends: float = -inf
    sweep_failures: int = 0
    sweep_requests: int = 0

    def count(self, now: float, sweep_s: float, *, failed: bool) -> None:
        """A sweep begins with a failure; a deployment without any costs nothing."""
        if failed:
            self.row += 1
            if now >= self.sweep_ends:
                self.sweep_ends = now + sweep_s
                self.sweep_failures = self.sweep_requests = 0
        else:
            self.row = 0
        self.sweep_failures += failed
        self.sweep_requests += 1


@dataclass(frozen=True, slots=True)
class _Probe:
    """The time during which a half-open deployment is asked."""

    record: _Record = field(repr=False)
    began: float

    def __enter__(self) -> None:
        self.record.probes += 1
        self.record.probed_at = self.began

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.record.probes -= 1


class Health:
    """The deployments of one process; nothing is kept of one that has never failed."""

    __slots__ = ("out", "policy", "records")

    def __init__(self, policy: HealthPolicy | None = None) -> None:
        self.policy = policy or HealthPolicy()
        #: Those that have failed before.
        self.records: dict[str, _Record] = {}
        #: Those that were ejected and are not fully back.
        self.out: dict[str, _Record] = {}

    def failed(self, name: str, now: float, *, started: float, jitter: float) -> bool:
        """A request that was asked at `started` failed; whether this ejects the deployment.

        `jitter` is uniform in [0, 1).
        """
        record = self.records.setdefault(name, _Record())
        status = self._status(record, now)
        if status is Status.EJECTED:
            # Asked all the same, for want of others: who fails least is asked first.
            record.row += started >= record.ejected_at
            return False
        if started < record.until:
            return False
        record.count(now, self.policy.sweep_s, failed=True)
        if status is not Status.HALF_OPEN and not self._is_outlier(record):
            return False
        self._eject(name, record, now, jitter)
        return True

    def broke(self, name: str, now: float, *, started: float, jitter: float) -> bool:
        """An answer broke off whose beginning was a success; whether this ejects the deployment.

        So rows of them are counted by themselves.
        """
        record = self.records.setdefault(name, _Record())
        if self._status(record, now) is Status.EJECTED or started < record.until:
            return False
        record.breaks += 1
        if record.breaks < self.policy.failures_in_a_row:
            return False
        self._eject(name, record, now, jitter)
        return True

    def completed(self, name: str) -> None:
        """An answer came to its end."""
        record = self.records.get(name)
        if record is not None:
            record.breaks = 0

    def succeeded(self, name: str, now: float, *, started: float) -> bool:
        """A request that was asked at `started` was served; whether this lets it back."""
        record = self.records.get(name)
        if record is None:
            return False
        if self._status(record, now) in {Status.EJECTED, Status.HALF_OPEN}:
            if started < record.ejected_at:
                return False
            self._let_back(record, now)
            return True
        if started >= record.until:
            record.count(now, self.policy.sweep_s, failed=False)
        return False

    def forget(self, name: str) -> None:
        """Think nothing of it, as of one that never failed."""
        self.records.pop(name, None)
        self.out.pop(name, None)

    def probing(self, name: str, now: float) -> AbstractContextManager[None]:
        """Around a request to this deployment: it is the probe if the deployment needs one.

        Until the end of it, however it ends, or for `longest_probe_s`, no other probe is due.
        """
        record = self.out.get(name)
        if record is None or self._status(record, now) is not Status.HALF_OPEN:
            return _NO_PROBE
        return _Probe(record, now)

    def may_ask(self, name: str, now: float) -> bool:
        """False where it is ejected, or half open with a probe under way."""
        record = self.out.get(name)
        return record is None or not self._is_absent(record, now)

    def state(self, name: str, now: float) -> State:
        """What is thought of it now."""
        record = self.out.get(name)
        if record is None:
            return HEALTHY
        status = self._status(record, now)
        if status is Status.RAMPING and record.ramp_began is not None:
            return self._ramping(record.ramp_began, now)
        if status is Status.HEALTHY:
            del self.out[name]
            return HEALTHY
        return State(status, record.until)

    def all_well(self) -> bool:
        """Whether no deployment is ejected or on its way back."""
        return not self.out

    def absent_until(self, name: str, now: float) -> float | None:
        """None where it may be asked. The end of a probe is not known: it may be now."""
        record = self.out.get(name)
        if record is None or not self._is_absent(record, now):
            return None
        return max(record.until, now)

    def badness(self, name: str, now: float) -> tuple[bool, int, int, float]:
        """A key to sort by, the least bad first: who is due for a probe, who failed less lately."""
        record = self.out.get(name)
        if record is None:
            return (False, 0, 0, -inf)
        is_ejected = self._status(record, now) is Status.EJECTED
        return (is_ejected, record.row, record.ejections, record.until)

    def _status(self, record: _Record, now: float) -> Status:
        if record.ejections == 0:
            return Status.HEALTHY
        if now < record.until:
            return Status.EJECTED
        if record.ramp_began is None:
            return Status.HALF_OPEN
        is_back = now >= record.ramp_began + self.policy.ramp_s
        return Status.HEALTHY if is_back else Status.RAMPING

    def _is_absent(self, record: _Record, now: float) -> bool:
        status = self._status(record, now)
        if status is not Status.HALF_OPEN:
            return status is Status.EJECTED
        return record.probes > 0 and now < record.probed_at + self.policy.longest_probe_s

    def _ramping(self, began: float, now: float) -> State:
        least, length = self.policy.ramp_from, self.policy.ramp_s
        factor = least + (1 - least) * max(0.0, now - began) / length
        return State(Status.RAMPING, began + length, min(1.0, factor))

    def _is_outlier(self, record: _Record) -> bool:
        policy = self.policy
        if record.row >= policy.failures_in_a_row:
            return True
        failed_of = policy.failure_rate * record.sweep_requests
        return record.sweep_requests >= policy.least_requests and record.sweep_failures >= failed_of

    def _eject(self, name: str, record: _Record, now: float, jitter: float) -> None:
        policy = self.policy
        record.ejections = self._in_a_row(record, now) + 1
        length = min(policy.longest_ejection_s, policy.ejection_s * record.ejections)
        record.ejected_at = now
        record.until = now + length * (1 + policy.jitter * jitter)
        record.ramp_began = None
        record.sweep_ends = -inf
        record.breaks = 0
        self.out[name] = record

    def _in_a_row(self, record: _Record, now: float) -> int:
        """Ejections are forgotten one by one with each sweep that it has been back."""
        if record.ramp_began is None:
            return record.ejections
        back = now - record.ramp_began - self.policy.ramp_s
        return max(0, record.ejections - max(0, int(back / self.policy.sweep_s)))

    def _let_back(self, record: _Record, now: float) -> None:
        record.until = min(record.until, now)
        record.ramp_began = now
        record.row = 0
        record.sweep_ends = -inf


def availability(names: Sequence[str], health: Health, now: float) -> Availability:
    """Who of a tier may be asked.

    At most a part of a tier is absent, at least one may be. Of those beyond it the least bad stay,
    with the part of their weight that a ramp begins with.
    """
    if health.all_well():
        return ALL_AVAILABLE
    absent: dict[str, float] = {}
    factors: dict[str, float] = {}
    for name in names:
        until = health.absent_until(name, now)
        if until is not None:
            absent[name] = until
            continue
        factor = health.state(name, now).factor
        if factor < 1:
            factors[name] = factor
    most = max(1, int(len(names) * health.policy.most_ejected))
    for name in least_bad(absent, health, now)[: max(0, len(absent) - most)]:
        del absent[name]
        factors[name] = health.policy.ramp_from
    return Availability(absent, factors)


def least_bad(names: Iterable[str], health: Health, now: float) -> list[str]:
    """The order in which to ask when nobody is left that is well.

    Each failure moves a deployment back, so that all of them are tried in turn.
    """
    return sorted(names, key=lambda name: health.badness(name, now))
