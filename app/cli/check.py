"""`spillgate check`: every mistake of a configuration, or what it amounts to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from app.cli.probe import exit_code, lines
from app.cli.start import utc_today
from app.domain.identity.seeds import seeded_tenants
from app.domain.routing.policy_warnings import policy_warnings
from app.planner.probing.finding import Finding
from app.settings import (
    ConfigProblems,
    ModelCatalog,
    Settings,
    load,
    load_catalog,
)
from app.settings.retirement import retirements
from app.settings.tier_order import tier_warnings

OK: Final = 0
MISTAKES: Final = 2


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What to print, one line each, and the command's exit code."""

    exit_code: int
    lines: tuple[str, ...]


#: Lines that say where something else is in force than a configuration says.
Compare = Callable[[Settings], Iterable[str]]
#: What was found of everything that a configuration names.
Probe = Callable[[Settings], Sequence[Finding]]


def usable_cpus() -> int:
    """How many this process may run on; a limit on their time is not looked at."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check(
    path: Path,
    environment: Mapping[str, str],
    compare: Compare | None = None,
    *,
    probe: Probe | None = None,
    today: Callable[[], date] = utc_today,
    cpus: Callable[[], int] = usable_cpus,
) -> CheckResult:
    """Check a configuration: 0 and a summary with warnings, or 2 and its mistakes by place.

    What `compare` finds is said, and is no mistake. What `probe` finds unusable makes it a 1.
    """
    try:
        settings = load(path, environment)
    except ConfigProblems as mistaken:
        return CheckResult(MISTAKES, tuple(str(problem) for problem in mistaken.problems))
    differing = compare(settings) if compare else ()
    said = (f"{path}: ok: {_summary(settings)}", *warnings(settings, today(), cpus()), *differing)
    found = probe(settings) if probe else ()
    return CheckResult(exit_code(found), (*said, *lines(found)))


def warnings(settings: Settings, today: date, cpus: int) -> Iterator[str]:
    """What works otherwise than the configuration may lead one to think.

    On a day, UTC, and on a machine with so many processors.
    """
    workers = settings.listen.workers
    if workers > cpus:
        yield f"warning: listen.workers: {workers} workers, more than there are CPUs here: {cpus}"
    for retirement in retirements(settings, today):
        yield f"warning: {retirement}"
    for warning in (*tier_warnings(settings), *policy_warnings(settings, seeded_tenants(settings))):
        yield f"warning: {warning}"
    yield from _catalogue_warnings(settings, load_catalog())
    if settings.admin is None:
        yield "warning: admin.key: not given, and `serve` does not start without it"


def _catalogue_warnings(settings: Settings, catalog: ModelCatalog) -> Iterator[str]:
    for name, deployment in settings.deployments.items():
        facts = catalog.facts(deployment.model)
        place = f"warning: deployments.{name}.model"
        if not facts.known:
            yield f"{place}: not in the model catalogue; its prices and PTU ratios are guesses"
        elif deployment.kind == "ptu" and facts.input_tpm_per_ptu is None:
            yield f"{place}: the model catalogue knows no PTU size for it"


def _summary(settings: Settings) -> str:
    counts = (
        (len(settings.deployments), "deployment"),
        (len(settings.models), "model"),
        (len(settings.tenants), "tenant"),
    )
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
