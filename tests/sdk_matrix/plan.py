"""What a driver is told: where to send which calls, with and without the gateway.

Drivers run in environments that hold one version of the SDK and nothing of this project, so this
module needs the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

SIDES = ("gateway", "direct")


@dataclass(frozen=True, slots=True)
class Side:
    """One way to the upstream: a base URL (or Azure endpoint) per target, and the key for it."""

    urls: Mapping[str, str]
    key: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One SDK class on one kind of upstream, both ways; `models` names each target's model."""

    client: str
    upstream: str
    models: Mapping[str, str]
    gateway: Side
    direct: Side


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one driver does."""

    api_version: str
    pairs: Sequence[Pair]

    def dumped(self) -> str:
        """As JSON, which drivers in other languages read, too."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Self:
        """What `dumped` wrote."""
        raw: dict[str, Any] = json.loads(text)
        pairs = [_pair(each) for each in raw["pairs"]]
        return cls(raw["api_version"], pairs)


def _pair(raw: dict[str, Any]) -> Pair:
    return Pair(**{**raw, **{side: Side(**raw[side]) for side in SIDES}})
