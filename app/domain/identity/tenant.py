"""Who is calling: the tenant behind a key, what it may use and how much of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum

from app.domain.cache.policy import UNSAID, CacheRule
from app.domain.identity.route_policy import ANYWHERE, RoutePolicy
from app.domain.policy.rules import UNSAID as NO_POLICY
from app.domain.policy.rules import InputPolicy
from app.domain.quota.limit import LimitRule


class LossPolicy(StrEnum):
    """What holds for a tenant while its account is out of reach."""

    LOCAL_SHARE = "local_share"  # each worker grants its share of the limits
    FAIL_CLOSED = "fail_closed"  # nothing is granted
    FAIL_OPEN = "fail_open"  # everything is granted, and counted afterwards


@dataclass(frozen=True, slots=True)
class Tenant:
    """One team; `models` are keys of `models:`, None means all. Budgets follow its time zone.

    Behind a key, models and tags are those of the key and the tenant together.
    """

    name: str
    models: frozenset[str] | None = None
    limits: tuple[LimitRule, ...] = ()
    zone: tzinfo = UTC
    redis_loss: LossPolicy = LossPolicy.LOCAL_SHARE
    tags: dict[str, str] = field(default_factory=dict, hash=False)
    routing: RoutePolicy = ANYWHERE
    cache: CacheRule = UNSAID
    policy: InputPolicy = NO_POLICY
    trace_content: bool = False  # traces may hold its prompts and answers, where the config allows

    def may_use(self, model: str) -> bool:
        """Whether `model` is among those allowed."""
        return self.models is None or model in self.models


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller: a tenant, and the id of the key it showed."""

    tenant: Tenant
    key_id: str
