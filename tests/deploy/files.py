"""The deployment files as values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final = ROOT / "docker-compose.yml"
COMPOSE_CONFIG: Final = ROOT / "deploy" / "compose" / "spillgate.yaml"
KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
OVERLAYS: Final = tuple(sorted((KUBERNETES / "overlays").iterdir()))
#: What the checks of `make deploy-check` run, in an environment of their own.
TOOLS: Final = ROOT / ".venv-deploy" / "bin"


def read(path: Path) -> Any:
    """A file's only document."""
    return yaml.safe_load(path.read_text("utf-8"))


def services() -> dict[str, dict[str, Any]]:
    """Compose's services, what they share with others merged in."""
    found: dict[str, dict[str, Any]] = read(COMPOSE)["services"]
    return found


def resources(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of one file."""
    yield from (each for each in yaml.safe_load_all(path.read_text("utf-8")) if each)


def gateway_pod() -> dict[str, Any]:
    """What Kubernetes starts, as the base has it."""
    (found,) = resources(KUBERNETES / "base" / "statefulset.yaml")
    pod: dict[str, Any] = found["spec"]["template"]["spec"]
    return pod


def at(config: Path, places: dict[str, str], into: Path) -> Path:
    """A copy of a configuration with nothing but these pieces of text replaced."""
    text = config.read_text("utf-8")
    for before, after in places.items():
        assert before in text, f"{config.name} has no {before}"
        text = text.replace(before, after)
    copied = into / "spillgate.yaml"
    copied.write_text(text)
    return copied
