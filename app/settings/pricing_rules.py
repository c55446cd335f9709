"""Rules of the section `prices`: whom it names, and that each price can come to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.settings.fault import Fault, Path, dotted, showable, suggestion
from app.settings.model_catalog import load_catalog, model_names

Raw = Mapping[str, Any]

_PRICES: Final = (
    "usd_per_million_input",
    "usd_per_million_cached_input",
    "usd_per_million_output",
    "usd_per_ptu_hour",
)


def price_faults(raw: Raw) -> Iterator[Fault]:
    """Prices of what nobody knows, without a price, or twice for the same time."""
    prices, deployments = _mapping(raw.get("prices")), raw.get("deployments")
    by_model, by_deployment = (_mapping(prices.get(part)) for part in ("models", "deployments"))
    if isinstance(deployments, Mapping):
        yield from _model_faults(by_model, deployments)
        yield from _deployment_faults(by_deployment, deployments)
    for part, entries in (("models", by_model), ("deployments", by_deployment)):
        for name, entry in entries.items():
            yield from _entry_faults(("prices", part, name), entry)


def _model_faults(entries: Raw, deployments: Raw) -> Iterator[Fault]:
    if not entries:
        return
    served = (_mapping(entry).get("model") for entry in deployments.values())
    known = {name for model in served if isinstance(model, str) for name in model_names(model)}
    known.update(load_catalog().models)
    first: dict[str, Path] = {}
    for name in entries:
        path = ("prices", "models", name)
        if str(name).lower() not in known:
            yield _unknown(path, "model", known)
        elif (same := first.setdefault(str(name).lower(), path)) != path:
            yield Fault(path, f"is the same model as {dotted(same)}", at_key=True)


def _deployment_faults(entries: Raw, deployments: Raw) -> Iterator[Fault]:
    for name, entry in entries.items():
        path = ("prices", "deployments", name)
        if name not in deployments:
            yield _unknown(path, "deployment", deployments)
        elif _mapping(deployments[name]).get("kind") == "paygo":
            for place, period in _periods(path, entry):
                if period.get("usd_per_ptu_hour") is not None:
                    here = (*place, "usd_per_ptu_hour")
                    yield Fault(here, "does not belong to kind paygo", at_key=True)


def _entry_faults(path: Path, entry: object) -> Iterator[Fault]:
    """No period, periods that say no price, and two that begin on the same day."""
    if entry in ([], ()):
        yield Fault(path, "must not be empty")
    first: dict[str, Path] = {}
    for place, period in _periods(path, entry):
        if all(period.get(name) is None for name in _PRICES):
            yield Fault(place, "has no price")
        begins = str(period.get("from"))
        if (same := first.setdefault(begins, place)) != place:
            yield Fault(place, f"begins on the same day as {dotted(same)}")


def _periods(path: Path, entry: object) -> Iterator[tuple[Path, Raw]]:
    """Each period of an entry and its path; what is no mapping is passed over."""
    if isinstance(entry, Mapping):
        yield path, entry
    elif isinstance(entry, list | tuple):
        for index, period in enumerate(entry):
            if isinstance(period, Mapping):
                yield (*path, index), period


def _unknown(path: Path, what: str, known: Iterable[str]) -> Fault:
    shown = showable(path[-1])
    name = f" {shown}" if shown else ""
    return Fault(path, f"unknown {what}{name}{suggestion(path[-1], known)}", at_key=True)


def _mapping(value: object) -> Raw:
    return value if isinstance(value, Mapping) else {}
