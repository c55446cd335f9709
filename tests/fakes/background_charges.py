"""Charges of responses in the background, in a dictionary."""

from __future__ import annotations

from collections.abc import Callable

from app.domain.ledger.background_charge import BackgroundCharge


class FakeBackgroundCharges:
    """Kept and taken at once."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], BackgroundCharge] = {}

    def keep(self, tenant: str, response_id: str, charge: BackgroundCharge) -> None:
        self.kept[tenant, response_id] = charge

    def take(
        self, tenant: str, response_id: str, taker: Callable[[BackgroundCharge], None]
    ) -> None:
        charge = self.kept.pop((tenant, response_id), None)
        if charge is not None:
            taker(charge)

    def __repr__(self) -> str:
        return f"<FakeBackgroundCharges {list(self.kept)}>"
