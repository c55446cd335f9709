"""What a 429 means for the next requests: who is held, for how long, and whether by their size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from app.domain.routing.attempt import Attempt
from app.domain.routing.deployment import Deployment, Kind
from app.domain.routing.route import RoutePlan
from app.domain.routing.throttle import CONSEQUENCES, Consequence, Refusal, ThrottleClass, classify
from app.stages.upstream.opening import Opened
from app.standing import Standing

_LONGEST_GUESS_S: Final = 60.0
#: Doubled by each refusal of a request that had waited as it was asked to.
_BROKEN_WORD_S: Final = 0.1
#: An error's text is at its beginning.
_TEXT_BYTES: Final = 2048


def throttle_class(opened: Opened, deployment: Deployment) -> ThrottleClass:
    """Why it refused, by its own words."""
    text = opened.answer.head[:_TEXT_BYTES].decode("utf-8", "replace") if opened.answer else ""
    refusal = Refusal(deployment.kind, opened.code, text, opened.headers, deployment.tpm)
    return classify(refusal)


@dataclass(slots=True)
class _Row:
    """Refusals since it last let a request in."""

    unsaid: int = 0
    again: int = 0  # those of requests that had waited as it asked
    until: float = -math.inf


class Throttling:
    """Holds deployments that refused."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._rows: dict[str, _Row] = {}

    def refused(self, attempt: Attempt, plan: RoutePlan) -> None:
        """Hold as it asked, or guess where it asked for nothing."""
        consequence = CONSEQUENCES[attempt.throttle or ThrottleClass.TOKENS]
        until = attempt.ended + self._wait_s(attempt, consequence)
        if consequence.by_size and plan.load is not None:
            self._standing.hold_by_size(attempt.deployment, plan.load, until, attempt.ended)
        else:
            self._standing.hold(attempt.deployment, until)

    def accepted(self, deployment: str) -> None:
        """It let a request in: guesses begin anew."""
        self._rows.pop(deployment, None)

    def _wait_s(self, attempt: Attempt, consequence: Consequence) -> float:
        row = self._rows.setdefault(attempt.deployment, _Row())
        row.again += attempt.started >= row.until
        said = attempt.retry_after_s
        if said is None:
            wait = min(consequence.unsaid_s * 2.0 ** min(row.unsaid, 10), _LONGEST_GUESS_S)
            row.unsaid += 1
        else:
            wait = max(min(said, consequence.longest_s), _least_s(attempt, row))
        row.until = attempt.ended + wait
        return float(wait)


def _least_s(attempt: Attempt, row: _Row) -> float:
    """Its word for how long is not relied on for ever: otherwise the fastest refusal attracts most.

    A PTU's is exact, and others may have filled it meanwhile: it is asked once a second.
    """
    if row.again <= 1:
        return 0.0
    longest = 1.0 if attempt.kind is Kind.PTU else _LONGEST_GUESS_S
    return float(min(_BROKEN_WORD_S * 2.0 ** min(row.again, 20), longest))
