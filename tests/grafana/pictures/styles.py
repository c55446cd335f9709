"""A panel's colours: of values by its thresholds, of series by its overrides or in turn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.grafana.boards import Json
from tests.grafana.pictures.drawing import PALETTE, color


@dataclass(frozen=True, slots=True)
class Style:
    """How one series is drawn."""

    color: str
    dashed: bool


def steps(panel: Json) -> list[Json]:
    """The thresholds, from below."""
    found: list[Json] = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return found


def by_threshold(value: float, thresholds: list[Json]) -> str:
    """The colour of the last step that the value has reached."""
    reached = [each for each in thresholds if each["value"] is None or value >= each["value"]]
    return color(reached[-1]["color"])


def styles(panel: Json, names: list[str]) -> list[Style]:
    """One for each series, in their order."""
    return [_style(panel, name, PALETTE[n % len(PALETTE)]) for n, name in enumerate(names)]


def _style(panel: Json, name: str, otherwise: str) -> Style:
    found = properties(panel, name)
    fixed = found.get("color", {}).get("fixedColor", otherwise)
    return Style(color(fixed), "custom.lineStyle" in found)


def properties(panel: Json, name: str) -> dict[str, Any]:
    """What the overrides say of a series or column."""
    found: dict[str, Any] = {}
    for each in panel["fieldConfig"]["overrides"]:
        kind, options = each["matcher"]["id"], each["matcher"]["options"]
        if (kind == "byName" and options == name) or (
            kind == "byRegexp" and re.search(options.strip("/"), name)
        ):
            found |= {value["id"]: value.get("value") for value in each["properties"]}
    return found
