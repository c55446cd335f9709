"""What a 429 means for the next requests: who is held, for how long, and whether by their size."""

from __future__ import annotations

from typing import Final

from app.domain.attempt import Attempt
from app.domain.deployment import Deployment
from app.domain.route import RoutePlan
from app.domain.throttle import CONSEQUENCES, Consequence, Refusal, ThrottleClass, classify
from app.stages.upstream.opening import Opened
from app.standing import Standing

_LONGEST_GUESS_S: Final = 60.0
#: An error's text is at its beginning.
_TEXT_BYTES: Final = 2048


def throttle_class(opened: Opened, deployment: Deployment) -> ThrottleClass:
    """Why it refused, by its own words."""
    text = opened.answer.head[:_TEXT_BYTES].decode("utf-8", "replace") if opened.answer else ""
    refusal = Refusal(deployment.kind, opened.code, text, opened.headers, deployment.tpm)
    return classify(refusal)


class Throttling:
    """Holds deployments that refused."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._in_a_row: dict[str, int] = {}

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
        self._in_a_row.pop(deployment, None)

    def _wait_s(self, attempt: Attempt, consequence: Consequence) -> float:
        if attempt.retry_after_s is not None:
            return min(attempt.retry_after_s, consequence.longest_s)
        row = self._in_a_row.get(attempt.deployment, 0)
        self._in_a_row[attempt.deployment] = row + 1
        return float(min(consequence.unsaid_s * 2.0 ** min(row, 10), _LONGEST_GUESS_S))
