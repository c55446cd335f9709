"""A file and an environment in; settings, or every mistake at once, out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError

from app.settings.fault import Fault, Path, dotted
from app.settings.interpolation import Interpolator
from app.settings.model import Settings
from app.settings.overrides import Overrides, apply_overrides
from app.settings.problem import ConfigProblems, Problem
from app.settings.rules import rule_faults
from app.settings.tree import Place, Tree, UnusableYamlError, read_tree
from app.settings.unsealing import unsealed
from app.settings.wording import fault_of

MAX_CONFIG_BYTES: Final = 1024 * 1024


def environment() -> Mapping[str, str]:
    """A copy of the process's environment; nothing else in Spillgate reads it."""
    return dict(os.environ)


def load(path: FilePath, environment: Mapping[str, str], content: bytes | None = None) -> Settings:
    """Read and check a configuration; ConfigProblems holds every mistake.

    `content` is what the file said when somebody else read it; None: read it now.
    """
    settings, found = _read(path, environment, content)
    if settings is None or found:
        raise ConfigProblems(tuple(found))
    return settings


def problems(path: FilePath, environment: Mapping[str, str]) -> list[Problem]:
    """Every mistake in a configuration, sorted by place; empty when `load` would succeed."""
    return _read(path, environment)[1]


def build(raw: Mapping[str, Any], *, name: str = "configuration") -> Settings:
    """Settings from plain values, under the same rules; `name` stands for the file."""
    settings, faults = _validated(raw, frozenset())
    found = [Problem(name, 0, 0, dotted(fault.path), fault.message) for fault in faults]
    if settings is None or found:
        raise ConfigProblems(tuple(found))
    return settings


def _read(
    path: FilePath, environment: Mapping[str, str], content: bytes | None = None
) -> tuple[Settings | None, list[Problem]]:
    try:
        text = _text(_content(path) if content is None else content)
        tree = read_tree(text, _resolver(environment, path.parent))
    except UnusableYamlError as error:
        return None, [Problem(str(path), *error.place, dotted(()), error.message)]
    raw = {} if tree.value is None else tree.value
    if not isinstance(raw, dict):
        return None, [
            Problem(str(path), *tree.places[()], dotted(()), "must be a mapping of sections")
        ]
    overrides = apply_overrides(raw, environment, Settings)
    return _checked(raw, tree, overrides, str(path))


def _checked(
    raw: dict[str, object], tree: Tree, overrides: Overrides, file: str
) -> tuple[Settings | None, list[Problem]]:
    """The settings, if all else is well, and the problems of reading, overriding and checking."""
    read = [item for item in tree.faults if overrides.decided(item[0].path) is None]
    settings, faults = _validated(raw, frozenset(f.path for f, _ in read if not f.at_key))
    found = [Problem(file, *place, dotted(fault.path), fault.message) for fault, place in read]
    found += [Problem("environment", 0, 0, name, message) for name, message in overrides.faults]
    found += [_problem(fault, tree, overrides, file) for fault in faults]
    return settings, sorted(set(found), key=_order)


def _problem(fault: Fault, tree: Tree, overrides: Overrides, file: str) -> Problem:
    """A fault at its place in the file, or at the variable that overrides it."""
    decided = overrides.decided(fault.path)
    if decided is None:
        return Problem(file, *_place(fault, tree), dotted(fault.path), fault.message)
    message = fault.message if decided == fault.path else f"{dotted(fault.path)}: {fault.message}"
    return Problem("environment", 0, 0, overrides.variables[decided], message)


def _text(content: bytes) -> str:
    if len(content) > MAX_CONFIG_BYTES:
        raise UnusableYamlError(Place(1, 1), f"is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise UnusableYamlError(place, "is not UTF-8") from None


def _content(path: FilePath) -> bytes:
    """The file's bytes, of a file that is too large one more than allowed."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_CONFIG_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise UnusableYamlError(Place(1, 1), f"cannot be read: {reason}") from None


def _resolver(environment: Mapping[str, str], folder: FilePath) -> Callable[[str], str]:
    return Interpolator(environment, folder).resolve


def _validated(
    raw: Mapping[str, Any], reported: frozenset[Path]
) -> tuple[Settings | None, list[Fault]]:
    """The settings, and every fault that is not already `reported` for its path."""
    opened, closed = unsealed(raw, Settings)
    reported |= {fault.path for fault in closed}
    rules = (fault for fault in rule_faults(opened) if fault.path not in reported)
    ruled = [*closed, *rules]
    known = reported | {fault.path for fault in ruled}
    try:
        return Settings.model_validate(opened), ruled
    except ValidationError as error:
        complaints = [fault_of(item, Settings) for item in error.errors(include_url=False)]
    fresh = [fault for fault in complaints if not _already(fault, known)]
    return None, [*ruled, *fresh]


def _already(fault: Fault, known: frozenset[Path]) -> bool:
    """Whether a fault at this path, or one within it, has been told more precisely."""
    if fault.at_key:
        return fault.path in known
    return any(path[: len(fault.path)] == fault.path for path in known)


def _place(fault: Fault, tree: Tree) -> Place:
    """Where a fault stands; for what is missing, the key of what it is missing from."""
    if not fault.at_key and fault.path in tree.places:
        return tree.places[fault.path]
    for length in range(len(fault.path), 0, -1):
        part = fault.path[:length]
        if place := tree.keys.get(part) or tree.places.get(part):
            return place
    return Place(1, 1)


def _order(problem: Problem) -> tuple[bool, int, int, str, str]:
    """The file from top to bottom, then the environment."""
    return (not problem.line, problem.line, problem.column, problem.path, problem.message)
