"""Rules of the section `billing`: whom it names, and what belongs together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.settings.fault import Fault, Path, showable, suggestion

Raw = Mapping[str, Any]


def billing_faults(raw: Raw) -> Iterator[Fault]:
    """Deployments without PTUs, terms that do not fit, and a currency without a rate."""
    billing, deployments = _mapping(raw.get("billing")), _mapping(raw.get("deployments"))
    code, rate = billing.get("currency", "USD"), billing.get("per_usd")
    if code != "USD" and rate is None:
        yield Fault(("billing", "per_usd"), "is missing: a currency other than USD needs it")
    if code == "USD" and rate is not None and rate != 1:
        yield Fault(("billing", "per_usd"), "must be 1, or left out, with currency USD")
    for name, entry in _mapping(billing.get("ptus")).items():
        path = ("billing", "ptus", name)
        if _mapping(deployments.get(name)).get("kind") != "ptu":
            known = [each for each, of in deployments.items() if _mapping(of).get("kind") == "ptu"]
            shown = showable(name)
            said = f"no PTU deployment{f' {shown}' if shown else ''}{suggestion(name, known)}"
            yield Fault(path, said, at_key=True)
        else:
            yield from _purchase_faults(path, _mapping(entry), deployments[name].get("ptus"))


def _purchase_faults(path: Path, entry: Raw, ptus: object) -> Iterator[Fault]:
    reserved = entry.get("reserved")
    if entry.get("term", "hourly") == "hourly":
        for key in ("usd_per_ptu", "reserved"):
            if entry.get(key) is not None:
                yield Fault((*path, key), "does not belong to term hourly", at_key=True)
    elif isinstance(reserved, int) and isinstance(ptus, int) and reserved > ptus:
        yield Fault((*path, "reserved"), f"is more than the deployment's {ptus} PTUs")
    first, last = str(entry.get("from") or ""), str(entry.get("until") or "")
    if first and last and last < first:
        yield Fault((*path, "until"), "is before from")


def _mapping(value: object) -> Raw:
    return value if isinstance(value, Mapping) else {}
