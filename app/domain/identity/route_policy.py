"""Where a tenant's requests may go, and how much they matter where there is not enough."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.domain.capacity.shares import Claim, RequestClass
from app.domain.quota.limit import Limit, spill_limits


class Spill(StrEnum):
    """Whether a request may leave its model's first tier."""

    ALLOW = "allow"
    DENY = "deny"


class Placed(Protocol):
    """A deployment as far as residency goes; None and empty are unsaid."""

    @property
    def data_zone(self) -> str | None:
        """The data zone that data stays in."""
        ...

    @property
    def region(self) -> str | None:
        """The region that it is in."""
        ...


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """One tenant's; the default lets it go anywhere."""

    request_class: RequestClass = RequestClass.STANDARD
    ptu_share: float = 0.0  # guaranteed part of each PTU, 0 to 1
    weight: float = 1.0  # against others, for what is guaranteed to nobody
    spill: Spill = Spill.ALLOW
    spill_usd_per_day: float | None = None  # None: as much as its budgets allow
    spill_usd_per_hour: float | None = None
    data_zones: frozenset[str] | None = None  # None: any
    regions: frozenset[str] | None = None

    def permits(self, deployment: Placed) -> bool:
        """Whether this tenant's data may be processed there; unsaid is not permitted."""
        zone, region = deployment.data_zone, deployment.region
        return (self.data_zones is None or zone in self.data_zones) and (
            self.regions is None or region in self.regions
        )

    def admits(self, deployment: Placed, tier: int) -> bool:
        """Whether its requests may be sent there, from a tier counted from 0."""
        return (tier == 0 or self.spill is Spill.ALLOW) and self.permits(deployment)

    @property
    def admits_all(self) -> bool:
        """Whether no deployment need be looked at."""
        is_bound = self.data_zones is not None or self.regions is not None
        return self.spill is Spill.ALLOW and not is_bound

    @property
    def spill_budgets(self) -> dict[str, float]:
        """Dollars by the names of its spill budgets; none where spilling is denied."""
        budgets = {
            "usd_per_hour": self.spill_usd_per_hour,
            "usd_per_day": self.spill_usd_per_day,
        }
        if self.spill is Spill.DENY:
            return {}
        return {name: usd for name, usd in budgets.items() if usd is not None}

    @property
    def spill_limits(self) -> tuple[Limit, ...]:
        """What its spill budgets come to."""
        return spill_limits(self.spill_usd_per_day, self.spill_usd_per_hour)

    def claim(self, tenant: str) -> Claim:
        """What it may claim of a provisioned deployment."""
        return Claim(tenant, self.ptu_share, self.weight, self.request_class)


ANYWHERE = RoutePolicy()
