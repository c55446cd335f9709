"""What the stages need from outside, as Protocols; adapters and the HTTP layer provide them."""

from app.ports.accounting import (
    Accounts,
    BackgroundCharges,
    Countable,
    Observer,
    TokenEstimator,
    Tracing,
)
from app.ports.cache import (
    AnswerCache,
    Embedder,
    HitEvidence,
    KeptAnswers,
    MeasuredErrors,
    WrongHits,
)
from app.ports.errands import Aside, Errands
from app.ports.http import Call, Clock, Reply
from app.ports.people import CallerTokens, DirectoryStore, KeyDirectory
from app.ports.upstreams import Capacity, HoldBoard, ResponseOwners, Upstream, UpstreamResponse

__all__ = [
    "Accounts",
    "AnswerCache",
    "Aside",
    "BackgroundCharges",
    "Call",
    "CallerTokens",
    "Capacity",
    "Clock",
    "Countable",
    "DirectoryStore",
    "Embedder",
    "Errands",
    "HitEvidence",
    "HoldBoard",
    "KeptAnswers",
    "KeyDirectory",
    "MeasuredErrors",
    "Observer",
    "Reply",
    "ResponseOwners",
    "TokenEstimator",
    "Tracing",
    "Upstream",
    "UpstreamResponse",
    "WrongHits",
]
