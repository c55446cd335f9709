"""How much of an account may be leased: taken ahead, for whoever of a key and model asks next.

What is leased and not used is refused to others for as long as the lease lasts. So it is small
against what is left, and nothing is leased where little is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from app.domain.quota.limit import Kind, Limit, Measure, Mode
from app.domain.quota.reservation import Amounts, Ask

#: So many asks in a period are leased for. A period is in seconds.
PERIOD_S: Final = 0.25
MANY: Final = 10
#: How long a lease is granted from, seconds; what is left of it is given back then.
LEASE_S: Final = 0.5
#: Of what is left of a limit all leases together take this part at most.
MOST: Final = 1 / 40
#: With less than this part of a limit left nothing is leased.
STRICT: Final = 0.05
#: A lease for fewer is not worth its call.
_FEWEST: Final = 8
#: What was taken some time ago would count too long in a shorter window.
_SHORTEST_WINDOW_MS: Final = 10_000


def is_leasable(ask: Ask) -> bool:
    """Whether all that it meets can be taken ahead.

    Not what counts who runs now, nor a window of seconds: that is over before a lease is. And not
    the spill budgets: most of what a lease is used for does not spill.
    """
    return not ask.aside and all(_is_leasable(limit) for limit in ask.limits)


def _is_leasable(limit: Limit) -> bool:
    if limit.kind is Kind.LIVE or limit.mode is Mode.SPILL:
        return False
    return limit.kind is not Kind.WINDOW or limit.window_ms >= _SHORTEST_WINDOW_MS


def is_ample(limits: Iterable[Limit], left: Iterable[int]) -> bool:
    """Whether so much remains of each limit that some of it may be held back."""
    return all(
        remaining >= STRICT * limit.amount for limit, remaining in zip(limits, left, strict=True)
    )


def leased(
    wanted: Amounts, limits: Sequence[Limit], left: Sequence[int], sharers: int
) -> Amounts | None:
    """What may be leased of what is wanted; None: too little, or it has to be strict.

    `left` is what remains of each limit, `sharers` how many leases of it there may be at once.
    """
    if not is_ample(limits, left):
        return None
    part = 1.0
    for limit, remaining in zip(limits, left, strict=True):
        if needed := wanted.of(limit.measure):
            part = min(part, MOST * remaining / (sharers * needed))
    if part * wanted.requests < _FEWEST:
        return None
    return Amounts(*(int(part * wanted.of(measure)) for measure in Measure))
