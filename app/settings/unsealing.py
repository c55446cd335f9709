"""Sealed values of a configuration, opened where they stand: in places of secrets alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from app.settings.fault import UNREADABLE, Fault, Path
from app.settings.schema import at
from app.settings.sealed import PREFIX, MasterKey, MasterKeys, SealError

#: Where the keys are that open the others.
MASTER_KEYS: Final[Path] = ("secrets", "master_keys")


def record_of(path: Path) -> str:
    """A place as sealed values are bound to it: `deployments.east.auth.api_key`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def sealed_in(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every sealed value, with its place."""
    if isinstance(value, str):
        if value.startswith(PREFIX):
            yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from sealed_in(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from sealed_in(inner, (*path, index))


def unsealed(raw: Mapping[str, Any], model: type[BaseModel]) -> tuple[dict[str, Any], list[Fault]]:
    """The configuration with everything opened that opens, and a fault for what does not."""
    found, faults = list(sealed_in(raw)), list[Fault]()
    if not found:
        return dict(raw), faults
    opened: dict[str, Any] = _copy(raw)
    keys = master_keys_of(raw)
    for path, value in found:
        try:
            secret: object = _opened(keys, path, value, model)
        except SealError as error:
            faults.append(Fault(path, str(error)))
            secret = UNREADABLE
        _put(opened, path, secret)
    return opened, faults


def master_keys_of(raw: Mapping[str, Any]) -> MasterKeys:
    """Those that a configuration names; what is no master key is passed over: others tell it."""
    section = raw.get("secrets")
    named = section.get("master_keys") if isinstance(section, Mapping) else None
    keys = []
    for text in named if isinstance(named, list) else ():
        try:
            keys.append(MasterKey.parse(str(text)))
        except SealError:
            continue
    return MasterKeys(keys)


def _opened(keys: MasterKeys, path: Path, value: str, model: type[BaseModel]) -> str:
    if not is_secret(path, model):
        raise SealError("is no place of a secret: a sealed value may not stand here")
    return keys.open(value, record_of(path))


def is_secret(path: Path, model: type[BaseModel]) -> bool:
    """Whether what stands there is kept as a secret; master keys open the others, and are plain."""
    return at(model, path) is SecretStr and path[:2] != MASTER_KEYS


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(inner) for name, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _put(raw: Any, path: Path, value: object) -> None:
    for part in path[:-1]:
        raw = raw[part]
    raw[path[-1]] = value


def place_of(record: str, model: type[BaseModel]) -> Path | None:
    """The place that a record names, if a secret is kept there; names may have dots in them."""
    for path in _paths(record):
        if is_secret(path, model):
            return path
    return None


def _paths(text: str, before: Path = ()) -> Iterator[Path]:
    """Every way to read it; few, as names with dots are rare."""
    if not text:
        yield before
        return
    parts = text.split(".")
    for count in range(1, min(len(parts), _MOST_DOTS) + 1):
        name, rest = ".".join(parts[:count]), ".".join(parts[count:])
        found = _INDEXED.fullmatch(name)
        if found is None:
            yield from _paths(rest, (*before, name))
        else:
            yield from _paths(rest, (*before, found[1], int(found[2])))


_INDEXED: Final = re.compile(r"(.+)\[(\d{1,4})\]")
#: Parts that a name with dots may have.
_MOST_DOTS: Final = 4
