"""The largest cosine distance at which the guards are asked, by embedder.

The guards decide; the distance only spares them prompts that have nothing to do with each other.
So each is about the distance below which nineteen in twenty of the tuning pairs lie that the guards
let pass, rounded up (docs/cache-evaluation.md). A smaller one loses hits and saves no wrong ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: By the name of an embedder in the configuration.
THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType(
    {"use-multilingual-3": 0.5, "minilm-l6-int8": 0.55}
)
#: For embedders that nobody has measured: OpenAI's text-embedding-3, an embedder of one's own.
UNMEASURED: Final = 0.4


def threshold_of(embedder: str) -> float:
    """Cosine distance, 0 to 2."""
    return THRESHOLDS.get(embedder, UNMEASURED)
