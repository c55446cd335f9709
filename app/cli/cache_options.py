"""What `--cache` says of a tenant's caches, and how what is said of them is shown.

Names are the configuration's paths below `cache:`; `exact` and `semantic` alone switch them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from app.cli import given, shown
from app.cli.output import Column, Record
from app.settings import CacheRules
from app.settings.caching import ExactCache, SemanticCache
from app.settings.fault import suggestion

#: In place of a value: what the configuration and the model say.
DEFAULT: Final = "default"

_SWITCHES: Final[Mapping[str, bool | None]] = {"on": True, "off": False, DEFAULT: None}
#: What a part is switched to, by what else that says of it.
_STATES: Final[Mapping[str, Mapping[str, dict[str, bool | None]]]] = {
    "exact": {word: {"exact.enabled": value} for word, value in _SWITCHES.items()},
    "semantic": {
        "on": {"semantic.enabled": True, "semantic.shadow": False},
        "shadow": {"semantic.enabled": True, "semantic.shadow": True},
        "off": {"semantic.enabled": False, "semantic.shadow": None},
        DEFAULT: {"semantic.enabled": None, "semantic.shadow": None},
    },
}
_PATHS: Final = (
    *(f"exact.{name}" for name in ExactCache.model_fields),
    *(f"semantic.{name}" for name in SemanticCache.model_fields),
    *(name for name in CacheRules.model_fields if name not in _STATES),
)
_YES_OR_NO: Final = frozenset({"exact.enabled", "semantic.enabled", "semantic.shadow", "coalesce"})

Caches = Annotated[
    list[str] | None,
    typer.Option(
        "--cache",
        help="exact=on, semantic=shadow, exact.ttl=10m, semantic.threshold=0.2 and the like; "
        f"{DEFAULT} for what the config says; repeatable.",
    ),
]

COLUMNS: Final = (
    Column("CACHE", lambda part: shown.text(part["name"])),
    Column("STATE", lambda part: shown.text(part["state"])),
    Column("TTL", lambda part: shown.seconds(part["ttl"]), right=True),
    Column("OTHERWISE", lambda part: shown.pairs(part["more"])),
)

#: By path; None unsays.
Changes = dict[str, float | None]


def changes(options: Iterable[str]) -> Changes:
    """What options say, by path. Raises BadParameter."""
    found: Changes = {}
    for option in options:
        name, equals, value = option.partition("=")
        said = _said(name, value) if equals else {}
        if not said:
            raise typer.BadParameter(
                f"{option!r} is no NAME=VALUE such as exact=on or exact.ttl=10m"
            )
        if twice := found.keys() & said.keys():
            raise typer.BadParameter(f"{min(twice)} is given twice")
        found |= said
    return found


def changed(kept: Mapping[str, Any], said: Changes) -> dict[str, Any]:
    """What a tenant says of its caches after a change; what is unsaid is left out."""
    flat = {**_flat(kept), **said}
    found: dict[str, Any] = {}
    for path, value in flat.items():
        part, _, name = path.rpartition(".")
        if value is not None:
            (found.setdefault(part, {}) if part else found)[name] = value
    return found


def parts(kept: Mapping[str, Any]) -> Iterator[Record]:
    """A record for each part that something is said of."""
    for name in ("exact", "semantic"):
        rest = dict(kept.get(name) or {})
        if rest:
            state, ttl = _state(rest), rest.pop("ttl", None)
            more = {each: _word(value) for each, value in rest.items()}
            yield {"name": name, "state": state, "ttl": ttl, "more": more}
    if "coalesce" in kept:
        yield {"name": "coalesce", "state": _word(kept["coalesce"]), "ttl": None, "more": {}}


def _said(name: str, value: str) -> Changes:
    if name in _STATES:
        states = _STATES[name]
        if value not in states:
            raise typer.BadParameter(f"{name}: {value!r} is none of {', '.join(states)}")
        return dict(states[value])
    if name not in _PATHS:
        hint = suggestion(name, (*_STATES, *_PATHS))
        raise typer.BadParameter(f"{name!r} is nothing that can be said of a cache{hint}")
    return {name: _value(name, value)}


def _value(name: str, value: str) -> float | None:
    if value == DEFAULT:
        return None
    if name in _YES_OR_NO:
        if value not in _SWITCHES:
            raise typer.BadParameter(f"{name}: {value!r} is none of {', '.join(_SWITCHES)}")
        return _SWITCHES[value]
    try:
        number = float(value)
    except ValueError:
        if name.endswith(".ttl"):
            return given.seconds(value)
        number = -1.0
    if not 0 <= number < float("inf"):
        raise typer.BadParameter(f"{name}: {value!r} is no number from 0 on")
    return int(number) if number.is_integer() else number


def _flat(kept: Mapping[str, Any]) -> Changes:
    found: Changes = {}
    for name, value in kept.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        found |= {f"{name}.{each}": of for each, of in inner} or {name: value}
    return {path: value for path, value in found.items() if path not in _STATES}


def _state(rest: dict[str, Any]) -> str:
    """What it is switched to; that is taken from the rest."""
    enabled = rest.pop("enabled", None)
    if enabled is None:
        return DEFAULT
    shadow = rest.pop("shadow", None)
    return "shadow" if enabled and shadow else _word(enabled)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
