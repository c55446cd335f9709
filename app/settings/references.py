"""Names that one section gives and another uses, and keys that only one tenant may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from app.settings.fault import Fault, Path, dotted, showable, suggestion
from app.settings.key_format import key_fault, key_parts
from app.settings.tiers import MAX_WEIGHT, weight_of

Raw = Mapping[str, Any]


def reference_faults(raw: Raw) -> Iterator[Fault]:
    """Tiers that name no deployment or mix base models; whatever else names no model."""
    deployments, models, tenants = (raw.get(part) for part in ("deployments", "models", "tenants"))
    for name, entry in _mapping(models).items():
        if isinstance(entry, Mapping):
            yield from _form_faults(("models", name), entry, _mapping(models))
        if isinstance(entry, Mapping) and entry.get("tiers") is not None:
            yield from _model_faults(("models", name, "tiers"), entry["tiers"], deployments)
    for part in ("embedder", "comparator"):
        yield from _cache_faults(part, _mapping(raw.get("cache")), _mapping(models))
    for name, entry in _mapping(tenants).items():
        yield from _tenant_faults(("tenants", name, "models"), _mapping(entry), models)


def _cache_faults(part: str, cache: Raw, models: Raw) -> Iterator[Fault]:
    named = _mapping(cache.get(part)).get("model")
    if isinstance(named, str) and named not in models:
        hint = suggestion(named, models)
        yield Fault(("cache", part, "model"), f"names no model of `models`{hint}")


def seed_key_faults(tenants: Raw) -> Iterator[Fault]:
    """Keys that are malformed, given twice, or share an id with another."""
    owners: dict[str, tuple[str, Path]] = {}
    for name, entry in tenants.items():
        keys = _mapping(entry).get("keys")
        for index, key in enumerate(keys if isinstance(keys, list | tuple) else ()):
            text = key.get_secret_value() if isinstance(key, SecretStr) else key
            if isinstance(text, str):
                yield from _key_faults(("tenants", name, "keys", index), text, owners)


def _key_faults(path: Path, text: str, owners: dict[str, tuple[str, Path]]) -> Iterator[Fault]:
    parts = key_parts(text)
    if parts is None:
        yield Fault(path, key_fault(text) or "is not a key")
        return
    owner = owners.setdefault(parts.id, (text, path))
    if owner[1] != path:
        same = "is the same key as" if owner[0] == text else "has the same id as"
        yield Fault(path, f"{same} {dotted(owner[1])}")


def _form_faults(path: Path, entry: Raw, models: Raw) -> Iterator[Fault]:
    """A model has tiers, or is an alias that leads to one that has."""
    alias, tiers = entry.get("alias"), entry.get("tiers")
    if alias is None:
        if tiers is None:
            yield Fault((*path, "tiers"), "is missing: a model has tiers, or is an alias")
        return
    here = (*path, "alias")
    if tiers is not None:
        yield Fault(here, "does not belong beside tiers", at_key=True)
    elif isinstance(alias, str) and alias not in models:
        yield Fault(here, _unknown("model", alias, models))
    elif isinstance(alias, str) and path[-1] in _led_through(alias, models):
        yield Fault(here, "leads back to itself")


def _led_through(name: str, models: Raw) -> list[str]:
    """The models that an alias leads through, each once."""
    passed: list[str] = []
    following: object = name
    while isinstance(following, str) and following not in passed:
        passed.append(following)
        following = _mapping(models.get(following)).get("alias")
    return passed


def _model_faults(path: Path, tiers: object, deployments: object) -> Iterator[Fault]:
    if not isinstance(tiers, list | tuple):
        yield Fault(path, "must be a list of tiers, each a list of deployment names")
        return
    if not tiers:
        yield Fault(path, "must have at least one tier")
    targets: list[tuple[Path, str]] = []
    for index, tier in enumerate(tiers):
        yield from _tier_faults((*path, index), tier, targets)
    yield from _target_faults(targets, deployments)
    yield from _base_model_faults(targets, _mapping(deployments))


def _tier_faults(path: Path, tier: object, targets: list[tuple[Path, str]]) -> Iterator[Fault]:
    """What is wrong with one tier's form; adds the names it holds to `targets`."""
    if isinstance(tier, Mapping):
        for name, weight in tier.items():
            targets.append(((*path, name), name))
            if weight_of(weight) is None:
                message = f"must be a weight: a number above 0, at most {MAX_WEIGHT}"
                yield Fault((*path, name), message)
    elif isinstance(tier, list | tuple):
        for index, item in enumerate(tier):
            if isinstance(item, str):
                targets.append(((*path, index), item))
            else:
                yield Fault((*path, index), "must be the name of a deployment")
    else:
        yield Fault(path, "must be a list of deployment names, or names with weights")
    if tier in ([], {}, ()):
        yield Fault(path, "must hold at least one deployment")


def _target_faults(targets: list[tuple[Path, str]], deployments: object) -> Iterator[Fault]:
    seen: dict[str, Path] = {}
    for path, name in targets:
        if isinstance(deployments, Mapping) and name not in deployments:
            yield Fault(path, _unknown("deployment", name, deployments), _keyed(path))
        elif name in seen:
            yield Fault(path, f"is already in {dotted(seen[name])}", _keyed(path))
        seen.setdefault(name, path)


def _base_model_faults(targets: list[tuple[Path, str]], deployments: Raw) -> Iterator[Fault]:
    """All deployments behind one name must serve what the first of them serves."""
    first: str | None = None
    for path, name in targets:
        base = _mapping(deployments.get(name)).get("model")
        if not isinstance(base, str):
            continue
        first = first or base
        if base != first:
            message = "serves another base model than the deployments before it"
            yield Fault(path, message, _keyed(path))


def _tenant_faults(path: Path, tenant: Raw, models: object) -> Iterator[Fault]:
    names = tenant.get("models")
    if not isinstance(names, list | tuple) or not isinstance(models, Mapping):
        return
    for index, name in enumerate(names):
        if isinstance(name, str) and name not in models:
            yield Fault((*path, index), _unknown("model", name, models))


def _unknown(what: str, name: str, known: Raw) -> str:
    shown = showable(name)
    return f"unknown {what}{f' {shown}' if shown else ''}{suggestion(name, known)}"


def _keyed(path: Path) -> bool:
    return isinstance(path[-1], str)


def _mapping(value: object) -> Raw:
    return value if isinstance(value, Mapping) else {}
