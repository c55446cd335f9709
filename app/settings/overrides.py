"""`SPILLGATE__A__B=value`: one value of the configuration, given by the environment.

pydantic-settings has this too, but merges inside its own constructor: it would stop at the
first value it cannot parse, ignore paths that do not exist, and forget which variable a mistake
came from. Values of text fields are taken as they are; all others are read as YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.settings.fault import Path, Resolved, dotted, suggestion
from app.settings.schema import bare, entry, fields, is_text
from app.settings.tree import UnusableYamlError, read_tree

PREFIX: Final = "SPILLGATE__"


class OverrideError(Exception):
    """A variable that overrides nothing, or holds no readable value."""


@dataclass(slots=True)
class Overrides:
    """Which variable decides each overridden path, and the variables that could not be used."""

    variables: dict[Path, str] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)

    def decided(self, path: Path) -> Path | None:
        """The overridden path that `path` is or stands in; the innermost where there are more."""
        inside = [at for at in self.variables if path[: len(at)] == at]
        return max(inside, key=len) if inside else None


def apply_overrides(
    raw: dict[str, object], environment: Mapping[str, str], model: object
) -> Overrides:
    """Put every override into `raw`, whole sections before what stands in them."""
    done = Overrides()
    names = [name for name in environment if name.startswith(PREFIX)]
    for name in sorted(names, key=lambda name: (name.count("__"), name)):
        try:
            path = _apply(raw, name.removeprefix(PREFIX).split("__"), environment[name], model)
        except OverrideError as error:
            done.faults.append((name, str(error)))
        else:
            done.variables[path] = name
    return done


def _apply(raw: dict[str, object], segments: list[str], text: str, model: object) -> Path:
    """Set the value that `segments` name; returns where. Changes nothing when it raises."""
    here: dict[str, object] = raw
    annotation, keys = bare(model), list[str]()
    for segment in segments:
        key, annotation = _step(here, annotation, segment, tuple(keys))
        keys.append(key)
        here = _mapping(here.get(key))
    value = _value(text, annotation)
    here = raw
    for key in keys[:-1]:
        inner = _mapping(here.get(key))
        here[key] = inner
        here = inner
    here[keys[-1]] = value
    return tuple(keys)


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _step(
    here: dict[str, object], annotation: object, segment: str, path: Path
) -> tuple[str, object]:
    """The key that `segment` means within `here`, and what it holds."""
    each = entry(annotation)
    known = fields(annotation) if each is None else dict.fromkeys(here, each)
    key = _meant(segment, known)
    if key is None:
        where = f"{dotted(path)} has" if path else "the configuration has"
        hint = suggestion(segment.replace("_", "-") if each else segment, known)
        msg = f"{where} no such {'entry' if each is not None else 'key'}{hint}"
        raise OverrideError(msg)
    return key, known[key]


def _meant(segment: str, known: Mapping[str, object]) -> str | None:
    """The one key that `segment` spells: exactly, or without regard to case, '-' and '.'."""
    if segment in known:
        return segment
    folded = [key for key in known if _folded(key) == _folded(segment)]
    return folded[0] if len(folded) == 1 else None


def _folded(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _value(text: str, annotation: object) -> object:
    if is_text(annotation):
        return Resolved(text)
    try:
        tree = read_tree(text, Resolved)
    except UnusableYamlError as error:
        raise OverrideError(error.message) from None
    if tree.faults:
        raise OverrideError(tree.faults[0][0].message)
    return tree.value
