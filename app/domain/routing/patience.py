"""How long an answer may take to begin, by what was asked for."""

from __future__ import annotations

from app.domain.call.request import WRITTEN, InferenceRequest
from app.domain.routing.deployment import Deployment, Timeouts


def patience_for(request: InferenceRequest, deployment: Deployment) -> Timeouts:
    """The limits of one call of it.

    Without a stream the headers come with the whole answer: nothing is heard until its last token
    was made, so that only the limit of the whole answer says that it takes too long.
    """
    if request.stream or request.route.operation not in WRITTEN:
        return deployment.timeouts
    return deployment.whole_timeouts
