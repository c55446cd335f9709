"""A tenant's form as a body of the API, which checks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.api.console.forms import Form
from app.domain.cache.policy import section_of
from app.domain.identity.directory import TenantEntry

_YES: Final = "yes"
_ENTRA: Final = ("applications", "objects", "groups")
_CACHES: Final = ("exact", "semantic")
#: As the command line has them; None: nothing is said.
_CACHE_CHOICES: Final[Mapping[str, Mapping[str, bool | None]]] = {
    "on": {"enabled": True, "shadow": False},
    "shadow": {"enabled": True, "shadow": True},
    "off": {"enabled": False, "shadow": None},
    "default": {"enabled": None, "shadow": None},
}


def body_of(form: Form, entry: TenantEntry | None = None) -> dict[str, Any]:
    """The fields that were sent, and no others: what is not in the form stays as it is.

    `entry` is the tenant that it is about; None for a new one.
    """
    found = {name: read(form, name) for name, read in _FIELDS.items() if name in form}
    if any(f"entra.{kind}" in form for kind in _ENTRA):
        found["entra"] = {kind: form.words(f"entra.{kind}") for kind in _ENTRA}
    if any(f"cache.{kind}" in form for kind in _CACHES):
        found["cache"] = _caches(form, entry)
    return found


def tags_of(text: str) -> dict[str, str]:
    """Of lines such as `team=search`; what has no `=` is a name that the API will refuse."""
    lines = (line.partition("=") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in lines}


def _text(form: Form, name: str) -> str:
    return form[name]


def _names(form: Form, name: str) -> list[str] | None:
    """None, which is all, where nothing is written."""
    return form.words(name) or None


def _yes(form: Form, name: str) -> bool:
    return form[name] == _YES


def _spill(form: Form, name: str) -> Any:
    budgets = {each: form[f"spill.{each}"] for each in ("usd_per_day", "usd_per_hour")}
    given = {each: amount for each, amount in budgets.items() if amount}
    return given if form[name] == "budget" else form[name]


def _caches(form: Form, entry: TenantEntry | None) -> dict[str, Any]:
    """What the form says of each cache that is in it; the rest of what was said of it stays."""
    known = section_of(entry.cache).model_dump(exclude_none=True) if entry else {}
    for kind in _CACHES:
        choice = form[f"cache.{kind}"]
        if choice in _CACHE_CHOICES:
            said = _CACHE_CHOICES[choice] if kind == "semantic" else _exact(choice)
            merged = {**known.get(kind, {}), **said}
            known[kind] = {name: value for name, value in merged.items() if value is not None}
    return known


def _exact(choice: str) -> Mapping[str, Any]:
    """It has no shadow."""
    return {"enabled": _CACHE_CHOICES[choice]["enabled"]}


_FIELDS: Final[Mapping[str, Callable[[Form, str], Any]]] = {
    "name": _text,
    "models": _names,
    "class": _text,
    "ptu_share": _text,
    "ptu_weight": _text,
    "spill": _spill,
    "data_zones": _names,
    "regions": _names,
    "time_zone": _text,
    "redis_loss": _text,
    "tags": lambda form, name: tags_of(form.raw(name)),
    "trace_content": _yes,
    "disabled": _yes,
}
