"""Which requests are hedged, when, and how many of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.domain.call.request import WRITTEN, InferenceRequest
from app.domain.capacity.shares import RequestClass
from app.domain.routing.deployment import Deployment
from app.domain.routing.retry_budget import RetryPolicy

#: For how long the part of a hedge that a request pays for is kept, seconds.
_KEPT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """One configuration's.

    A deployment is late after `after_s` seconds; None: after the time in which `part` (0 to 1) of
    its recent streams had begun. At most `percent` of all requests are hedged.
    """

    classes: frozenset[RequestClass]
    part: float = 0.95
    after_s: float | None = None
    percent: int = 5

    @property
    def budget(self) -> RetryPolicy:
        """Without a reserve: it bounds only how many run at once, and a quiet gateway has one."""
        return RetryPolicy(self.percent, reserve=0, kept_s=_KEPT_S)

    def covers(self, request: InferenceRequest, request_class: RequestClass) -> bool:
        """Whether a request may be asked twice.

        Only a stream tells that it has begun. What is stored, or continues what is stored, would
        be there twice.
        """
        if request.operation not in WRITTEN or request_class not in self.classes:
            return False
        is_stored = request.stores or request.is_bound or request.references
        return request.stream and not is_stored


def is_patient(deployment: Deployment) -> bool:
    """Whether its silence says nothing: a model that reasons may be silent for minutes."""
    return deployment.reasons


def may_stand_in(one: Deployment, other: Deployment) -> bool:
    """Whether `other` may be asked beside `one` of its tier: it is paid for in the same way."""
    return one.name != other.name and one.kind is other.kind and not is_patient(other)
