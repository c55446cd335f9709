"""The largest cosine distance at which the guards are asked, by embedder.

The guards decide; the distance only spares them prompts that have nothing to do with each other.
So each is the distance, in tenths, below which 99 in 100 of the tuning pairs lie that the guards
let pass (docs/cache-evaluation.md). A smaller one loses hits and saves few wrong ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: By the name of an embedder in the configuration.
THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType(
    {"use-multilingual-3": 0.6, "minilm-l6-int8": 0.6}
)
#: For embedders that nobody has measured: OpenAI's text-embedding-3, an embedder of one's own.
UNMEASURED: Final = 0.4


def threshold_of(embedder: str) -> float:
    """Cosine distance, 0 to 2."""
    return THRESHOLDS.get(embedder, UNMEASURED)


#: For two answers, which no guard reads: below half of it they are taken for the same, above it for
#: different. Narrower, for here the distance alone decides.
COMPARED: Final[Mapping[str, float]] = MappingProxyType(
    {"use-multilingual-3": 0.3, "minilm-l6-int8": 0.24}
)
COMPARED_UNMEASURED: Final = 0.2


def compared_threshold_of(embedder: str) -> float:
    """Cosine distance of answers, 0 to 2."""
    return COMPARED.get(embedder, COMPARED_UNMEASURED)
