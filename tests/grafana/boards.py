"""The dashboards as Grafana reads them: from their JSON, with its variables filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
DASHBOARDS: Final = tuple(sorted((ROOT / "grafana" / "dashboards").glob("*.json")))

Json = dict[str, Any]

#: What Grafana puts in where everything is chosen.
EVERYTHING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "job": ".+",
        "instance": ".+",
        "model": ".*",
        "tenant": ".*",
        "region": ".*",
        "deployment": ".+",
        "__rate_interval": "1m",
        "__range": "1h",
    }
)


def board(path: Path) -> Json:
    """One dashboard."""
    read: Json = json.loads(path.read_text("utf-8"))
    return read


def panels(of: Json) -> list[Json]:
    """Its panels, without the rows that they stand in."""
    return [each for each in of["panels"] if each["type"] != "row"]


def every_panel() -> Iterator[tuple[str, Json]]:
    """All of them, with a name to be found by."""
    for path in DASHBOARDS:
        for panel in panels(board(path)):
            yield f"{path.stem}: {panel['title']}", panel


def every_target() -> Iterator[tuple[str, Json, Json]]:
    """All queries, each with its panel."""
    for name, panel in every_panel():
        for target in panel["targets"]:
            yield f"{name} {target['refId']}", panel, target


def filled(expr: str, values: Mapping[str, str] = EVERYTHING) -> str:
    """The expression that Prometheus is sent."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: values[found.group(1)], expr)
