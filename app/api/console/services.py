"""What the console works with; the composition root puts it together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.api.admin.services import AdminServices
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import Limit


class AccountReader(Protocol):
    """What tenants have used and hold: Accounts, for reading."""

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[int, ...]:
        """How much of each limit is used or held. Raises StoreUnavailable."""
        ...


class RecentRows(Protocol):
    """The end of the ledger."""

    def look(self) -> Sequence[LedgerRow]:
        """Its last rows, oldest first. Blocks: call it in a thread."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """Those of the admin API, and what pages show beside it."""

    admin: AdminServices
    accounts: AccountReader
    recent: RecentRows
    data_url: Callable[[], str]  # of the data plane, which the playground calls
