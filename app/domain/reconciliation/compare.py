"""Azure's count beside the ledger's: every difference, taken apart.

Nobody documents whether Azure counts a request when it begins or when it ends. Of each series the
one is taken that fits better over all of it; what that moves from hour to hour is `edge`. The rest
is explained as far as the ledger knows that it only estimated, source by source; what is left is
unexplained: traffic that did not come through the gateway, or was not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from app.domain.billing.place import Place
from app.domain.reconciliation.counted import Counted, Source, Tally
from app.domain.reconciliation.series import Measure, Series


@dataclass(frozen=True, slots=True)
class Step:
    """One hour or day: `azure - ledger = edge + hedges + broken + failed + unexplained`."""

    starts: int
    azure: int
    ledger: int
    edge: int
    hedges: int
    broken: int
    failed: int

    @property
    def unexplained(self) -> int:
        """Above zero: Azure counted more."""
        return self.azure - self.ledger - self.edge - self.hedges - self.broken - self.failed


@dataclass(frozen=True, slots=True)
class Compared:
    """One series and the deployments that it is of.

    `begun`: it fits better where a request counts when it begins. `errands` is that part of the
    ledger's tokens that the gateway asked for itself.
    """

    series: Series
    deployments: tuple[str, ...]
    begun: bool
    steps: tuple[Step, ...]
    errands: int

    @property
    def total(self) -> Step:
        """All steps together; what is unexplained of one may make up for another's."""
        sums = [sum(values) for values in zip(*map(_numbers, self.steps), strict=True)]
        return Step(self.series.starts, *sums)

    @property
    def unexplained(self) -> tuple[int, int]:
        """Tokens that Azure counted beyond the ledger, and the ledger beyond Azure."""
        found = [step.unexplained for step in self.steps]
        return sum(each for each in found if each > 0), -sum(each for each in found if each < 0)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """All series; `foreign` are of no configured deployment, `silent` is in no series.

    `silent` has tokens by deployment that the ledger counted in the time of the series.
    """

    compared: tuple[Compared, ...]
    foreign: tuple[Series, ...]
    silent: dict[str, int]


def reconciled(series: Sequence[Series], places: Collection[Place], counted: Counted) -> Reconciled:
    """Compare each series with what the ledger counted of its deployments, in the same steps."""
    found = [(each, names_of(each, places)) for each in series]
    compared = [_compared(each, names, counted) for each, names in found if names]
    told = {name for _, names in found for name in names}
    silent = {
        name: sum(_within(by_measure[Measure.TOTAL], series))
        for name, by_measure in counted.items()
        if name not in told
    }
    return Reconciled(
        tuple(compared),
        tuple(each for each, names in found if not names and any(each.tokens)),
        {name: tokens for name, tokens in sorted(silent.items()) if tokens},
    )


def names_of(series: Series, places: Collection[Place]) -> tuple[str, ...]:
    """The deployments that it counts; of a resource's meters those that are paid so."""
    return tuple(
        sorted(
            place.deployment
            for place in places
            if series.resource in {"", place.resource} and _is_of(series, place)
        )
    )


def _is_of(series: Series, place: Place) -> bool:
    if series.deployment:
        return series.deployment == place.azure_name
    return place.is_ptu is (series.measure is Measure.PTU_HOURS)


def _compared(series: Series, names: tuple[str, ...], counted: Counted) -> Compared:
    tallies = [counted[name][series.measure] for name in names if name in counted]
    first = series.starts // series.step_s
    steps = range(first, first + len(series.tokens))
    ended = [sum(tally.ended.get(step, 0) for tally in tallies) for step in steps]
    begun = [sum(tally.begun.get(step, 0) for tally in tallies) for step in steps]
    at_begin = _distance(series.tokens, begun) < _distance(series.tokens, ended)
    edges = [b - e if at_begin else 0 for b, e in zip(begun, ended, strict=True)]
    told = zip(steps, series.tokens, ended, edges, strict=True)
    compared = tuple(
        Step(at * series.step_s, azure, ledger, edge, **_parts(tallies, at, azure - ledger - edge))
        for at, azure, ledger, edge in told
    )
    return Compared(series, names, at_begin, compared, sum(tally.errands for tally in tallies))


def _parts(tallies: Iterable[Tally], step: int, difference: int) -> dict[str, int]:
    """By source, no more than it can be, in the order of the sources."""
    found: dict[str, int] = {}
    for source in Source:
        sides = [tally.more if difference > 0 else tally.less for tally in tallies]
        most = sum(side[source].get(step, 0) for side in sides if source in side)
        part = max(-most, min(most, difference))
        found[source.value] = part
        difference -= part
    return found


def _distance(azure: Sequence[int], ledger: Sequence[int]) -> int:
    return sum(abs(a - b) for a, b in zip(azure, ledger, strict=True))


def _within(tally: Tally, series: Sequence[Series]) -> Iterable[int]:
    """Tokens of steps that some series covers."""
    starts = min(each.starts // each.step_s for each in series)
    ends = max(each.ends // each.step_s for each in series)
    return (tokens for step, tokens in tally.ended.items() if starts <= step < ends)


def _numbers(step: Step) -> tuple[int, ...]:
    return step.azure, step.ledger, step.edge, step.hedges, step.broken, step.failed
