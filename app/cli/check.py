"""`spillgate check`: every mistake of a configuration, or what it amounts to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.policy_warnings import policy_warnings
from app.domain.seeds import seeded_tenants
from app.settings import (
    ConfigProblems,
    ModelCatalog,
    Settings,
    load,
    load_catalog,
    unsupported,
)

OK: Final = 0
MISTAKES: Final = 2


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What to print, one line each, and the command's exit code."""

    exit_code: int
    lines: tuple[str, ...]


#: Lines that say where something else is in force than a configuration says.
Compare = Callable[[Settings], Iterable[str]]


def check(
    path: Path, environment: Mapping[str, str], compare: Compare | None = None
) -> CheckResult:
    """Check a configuration: 0 and a summary with warnings, or 2 and its mistakes by place.

    What `compare` finds is said, and is no mistake.
    """
    try:
        settings = load(path, environment)
    except ConfigProblems as found:
        return CheckResult(MISTAKES, tuple(str(problem) for problem in found.problems))
    differing = compare(settings) if compare else ()
    return CheckResult(OK, (f"{path}: ok: {_summary(settings)}", *warnings(settings), *differing))


def warnings(settings: Settings) -> Iterator[str]:
    """What works otherwise than the configuration may lead one to think."""
    for part in unsupported(settings):
        yield f"warning: {part}: accepted, not enforced in this version"
    for warning in policy_warnings(settings, seeded_tenants(settings)):
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
