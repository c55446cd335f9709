"""Whether a Redis can keep accounts, and answers where a config keeps some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.planner.probing.finding import Finding, State

#: The oldest that was ever tried is that of Azure Managed Redis.
OLDEST_TRIED: Final = (7, 4)
#: A clock this far off moves the ends of days; windows are the server's own.
_MOST_AHEAD_S: Final = 2.0
#: A round trip is waited for as long as the config says; half of it is close.
_CLOSE: Final = 0.5
_SEARCH: Final = frozenset({"search", "searchlight", "ft"})


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a server says of itself; `ahead_s` is its clock less this machine's, seconds.

    `modules` are in lower case; None: it does not tell.
    """

    version: str
    role: str
    cluster: bool
    eviction: str
    modules: frozenset[str] | None
    ahead_s: float
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class Needs:
    """What a config wants of a server; seconds."""

    place: str
    cluster: bool
    patience_s: float
    accounts: bool = True  # it has the accounts, not only answers
    search: bool = False


def judged(facts: RedisFacts, needs: Needs) -> Iterator[Finding]:
    """First whether it answers, then each thing that a config would suffer from."""
    yield Finding(needs.place, State.OK, f"Redis {facts.version} answers", facts.round_trip_s)
    for state, what in _complaints(facts, needs):
        yield Finding(needs.place, state, what)


def _complaints(facts: RedisFacts, needs: Needs) -> Iterator[tuple[State, str]]:
    yield from _of_its_kind(facts, needs)
    if needs.accounts and facts.eviction not in {"noeviction", ""}:
        yield State.WARNING, f"maxmemory-policy {facts.eviction} may evict accounts: use noeviction"
    if needs.search and facts.modules is not None and not facts.modules & _SEARCH:
        yield State.WARNING, "it has no search module: no answer will be found by meaning"
    if abs(facts.ahead_s) > _MOST_AHEAD_S:
        yield State.WARNING, f"its clock is {facts.ahead_s:+.1f} s off this machine's"
    if facts.round_trip_s > _CLOSE * needs.patience_s:
        took, patience = facts.round_trip_s * 1000, needs.patience_s * 1000
        yield State.WARNING, f"a round trip took {took:.0f} ms; it is given up after {patience:.0f}"


def _of_its_kind(facts: RedisFacts, needs: Needs) -> Iterator[tuple[State, str]]:
    if facts.role not in {"master", ""}:
        yield State.FAILED, f"it is a {facts.role}, which takes no writes"
    if facts.cluster and not needs.cluster:
        yield State.FAILED, f"it is a node of a cluster; set {needs.place}.cluster: true"
    if needs.cluster and not facts.cluster:
        yield State.FAILED, f"it is no cluster, and {needs.place}.cluster is true"
    if _number(facts.version) < OLDEST_TRIED:
        oldest = ".".join(map(str, OLDEST_TRIED))
        yield State.WARNING, f"version {facts.version} was not tried, {oldest} and later were"


def _number(version: str) -> tuple[int, int]:
    """Major and minor; what says nothing is new enough."""
    parts = version.split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        return OLDEST_TRIED
