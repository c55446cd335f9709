"""Which operation of which deployment a path means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

Surface = Literal["classic", "v1", "openai"]

_ANY: Final = "*"
_OPERATIONS: Final[dict[tuple[str, tuple[str, ...]], str]] = {
    ("POST", ("chat", "completions")): "chat/completions",
    ("POST", ("completions",)): "completions",
    ("POST", ("embeddings",)): "embeddings",
    ("POST", ("responses",)): "responses",
    ("GET", ("responses", _ANY)): "responses/get",
    ("DELETE", ("responses", _ANY)): "responses/delete",
    ("POST", ("responses", _ANY, "cancel")): "responses/cancel",
    ("GET", ("responses", _ANY, "input_items")): "responses/input_items",
    ("GET", ("models",)): "models",
    ("GET", ("models", _ANY)): "models/get",
}
_ON_CLASSIC_DEPLOYMENTS: Final = {"chat/completions", "completions", "embeddings"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path means; `operation` is None where the path or the method is unknown."""

    surface: Surface
    operation: str | None
    deployment: str | None = None
    """Named by the URL, on the classic surface."""
    item: str | None = None
    """The response or model that the path ends with."""
    path_exists: bool = False


def segments_of(raw_path: bytes) -> list[str]:
    """The parts of a path, decoded one by one: a deployment's name may contain a slash."""
    return [unquote(part) for part in raw_path.decode("latin-1").strip("/").split("/")]


def find_target(method: str, segments: Sequence[str], *, on_azure: bool) -> Target | None:
    """What `segments`, those after the deployment's endpoint, mean; None when it is nothing."""
    match list(segments):
        case ["v1", *rest] if not on_azure:
            return _target("openai", method, tuple(rest))
        case ["openai", "v1", *rest] if on_azure:
            return _target("v1", method, tuple(rest))
        case ["openai", "deployments", name, *rest] if on_azure:
            target = _target("classic", method, tuple(rest), deployment=name)
            return target if target.operation in _ON_CLASSIC_DEPLOYMENTS else None
        case ["openai", ("responses" | "models") as family, *rest] if on_azure:
            return _target("classic", method, (family, *rest))
        case _:
            return None


def _target(
    surface: Surface, method: str, path: tuple[str, ...], *, deployment: str | None = None
) -> Target:
    exists = False
    for (its_method, pattern), operation in _OPERATIONS.items():
        if _fits(pattern, path):
            exists = True
            if its_method == method:
                item = path[1] if _ANY in pattern else None
                return Target(surface, operation, deployment, item, path_exists=True)
    return Target(surface, None, deployment, path_exists=exists)


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        expected in {_ANY, part} for expected, part in zip(pattern, path, strict=True)
    )
