"""Whom not to ask for some requests only: failures that may be the request's own fault.

A silence may mean that nobody is there, or that the answer takes long. It counts for the tenant
whose request it was: five in a row without an answer, and that tenant is served elsewhere for a
while, with the same probes as `Health` has. For the deployment as a whole it counts where two
tenants at least were met with silence since it last gave anybody an answer: no tenant puts one out
for all others by asking for long answers. What it refuses of one operation, such as a path that its
API version lacks, counts for that operation alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from app.domain.routing.health import Health, HealthPolicy

_ENOUGH: Final = 2  # scopes for a failure to be the deployment's; no more are kept
#: Scopes of deployments of which a failure is known; of more the one that failed longest ago is
#: thought well of again.
MOST_KEPT: Final = 4096


class Doubts:
    """Of one process. A scope is a part of all requests: a tenant's, or an operation's."""

    __slots__ = ("_failed", "_health", "_silent", "_stalled", "is_empty", "out")

    def __init__(self, policy: HealthPolicy | None = None) -> None:
        self._health = health = Health(policy)
        self.out = health.out  # scopes that are served elsewhere, or wait for a probe
        self.is_empty = True  # nothing is remembered against anybody
        self._failed: dict[str, None] = {}  # keys of what is kept, the latest failure last
        self._silent: dict[str, set[str]] = {}  # by deployment, scopes without an answer
        self._stalled: dict[str, set[str]] = {}  # and those whose answers fell silent midway

    @property
    def policy(self) -> HealthPolicy:
        """When a scope is served elsewhere, and for how long."""
        return self._health.policy

    @policy.setter
    def policy(self, policy: HealthPolicy) -> None:
        self._health.policy = policy

    def was_silent(
        self, name: str, scope: str, now: float, *, started: float, jitter: float
    ) -> bool:
        """A request got no answer in time; whether that counts for the whole deployment."""
        self.refused(name, scope, now, started=started, jitter=jitter)
        return _doubted_by_two(self._silent, name, scope)

    def refused(self, name: str, scope: str, now: float, *, started: float, jitter: float) -> None:
        """It does not serve such requests, and may well serve all others."""
        self._health.failed(self._kept(name, scope), now, started=started, jitter=jitter)

    def stalled(self, name: str, scope: str, now: float, *, started: float, jitter: float) -> bool:
        """An answer fell silent after it had begun; whether that counts for all."""
        self._health.broke(self._kept(name, scope), now, started=started, jitter=jitter)
        return _doubted_by_two(self._stalled, name, scope)

    def answered(self, name: str, scopes: Sequence[str], now: float, *, started: float) -> None:
        """A request of these scopes got an answer."""
        self._silent.pop(name, None)
        for scope in scopes:
            self._health.succeeded(_key(name, scope), now, started=started)

    def completed(self, name: str, scopes: Sequence[str]) -> None:
        """An answer came to its end."""
        self._stalled.pop(name, None)
        for scope in scopes:
            self._health.completed(_key(name, scope))

    def may_ask(self, name: str, scopes: Sequence[str], now: float) -> bool:
        """Whether a request of these scopes may be sent there, while there are others."""
        return not self.out or all(self._health.may_ask(_key(name, scope), now) for scope in scopes)

    @contextmanager
    def probing(self, name: str, scopes: Sequence[str], now: float) -> Iterator[None]:
        """Around a request: it is the probe of those of its scopes that wait for one."""
        with ExitStack() as probes:
            for scope in scopes:
                probes.enter_context(self._health.probing(_key(name, scope), now))
            yield

    def _kept(self, name: str, scope: str) -> str:
        key = _key(name, scope)
        self.is_empty = False
        self._failed.pop(key, None)
        self._failed[key] = None
        if len(self._failed) > MOST_KEPT:
            oldest = next(iter(self._failed))
            del self._failed[oldest]
            self._health.forget(oldest)
        return key


def _key(name: str, scope: str) -> str:
    return f"{name}\n{scope}"


def _doubted_by_two(doubted: dict[str, set[str]], name: str, scope: str) -> bool:
    scopes = doubted.setdefault(name, set())
    if len(scopes) < _ENOUGH:
        scopes.add(scope)
    return len(scopes) >= _ENOUGH
