"""How months are billed, as it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.billing.currency import USD, Currency
from app.domain.billing.place import Place
from app.domain.billing.purchase import Purchase
from app.domain.billing.spent import Sorting
from app.domain.billing.statement import IdleRule


@dataclass(frozen=True, slots=True)
class BillingRules:
    """One snapshot of the configuration; `zone` is the IANA name of the month's time zone."""

    purchases: tuple[Purchase, ...] = ()
    serves: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By deployment with PTUs, the models that callers name and that it is asked for."""
    spilling: frozenset[str] = frozenset()
    """Models, as callers name them, that have PTUs before their last tier."""
    zone: str = "UTC"
    currency: Currency = USD
    idle: IdleRule = IdleRule.SHARE
    places: tuple[Place, ...] = ()
    """What Azure calls the deployments."""

    @property
    def sorting(self) -> Sorting:
        """What is billed as PTU, and which models spill from PTUs."""
        deployments = frozenset(each.deployment for each in self.purchases)
        return Sorting(deployments, self.spilling)
