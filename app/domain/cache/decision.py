"""Whether the answer to one prompt may be served for another: their distance, then the guards.

The embedding finds what may mean the same. It cannot tell USD to EUR from EUR to USD, nor enable
from disable, at any distance (see docs/cache-evaluation.md); the guards can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.domain.cache.guards import agree
from app.domain.cache.guards.phrasebook import Phrasebook

DISTANCE: Final = "distance"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`refused_by` is the guard that said no, or "distance"; empty when the answer may be served.

    It names no text of either prompt, so it may go into logs and metrics.
    """

    refused_by: str = ""

    @property
    def serves(self) -> bool:
        """Whether the answer may be served."""
        return not self.refused_by


_SERVED: Final = Verdict()


def may_serve(
    asked: str, kept: str, distance: float, *, threshold: float, book: Phrasebook
) -> Verdict:
    """The verdict on two last user turns, `distance` (cosine, 0 to 2) apart.

    Everything else of the two requests must be equal; the caller has compared a hash of it.
    """
    if not distance <= threshold:
        return Verdict(DISTANCE)
    found = agree(asked, kept, book)
    return Verdict(found.guard) if found else _SERVED
