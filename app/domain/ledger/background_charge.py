"""What a response in the background was charged before its usage was known, and the rest."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.reservation import Amounts, Ask, Reservation
from app.domain.quota.usage import Usage

#: The flag of the estimate: it is nobody's fault that its usage was not told.
BACKGROUND: Final = "background"
_CORRECTION: Final = "correction"
#: Of no account: a correction has no hold that would be looked for.
_GENERATION: Final = "correction"
_NOTHING: Final = Amounts()


class BackgroundCharge(msgspec.Struct, frozen=True):
    """The row of an estimate, and in what it was charged: all that correcting it takes."""

    row: LedgerRow
    scopes: tuple[str, ...]
    day: CalendarWindow
    month: CalendarWindow
    hour: CalendarWindow | None = None
    output_cap: int | None = None  # tokens that the caller allowed

    @classmethod
    def of(
        cls, row: LedgerRow, reservation: Reservation, output_cap: int | None = None
    ) -> BackgroundCharge:
        """`row` is what the reservation was charged with."""
        held = reservation
        return cls(row, held.ask.scopes, held.day, held.month, held.hour, output_cap)

    def correction(
        self, usage: Usage, nano_usd: int, at: float, flags: tuple[str, ...] = ()
    ) -> LedgerRow:
        """What adds up with the estimate to this usage and its cost, known `at` (Unix seconds).

        Its amounts may be below zero. It is charged in the day and hour that the estimate was.
        """
        row = self.row
        return replace(
            row,
            id=f"{row.id}-corrected",
            corrects=row.id,
            at=at,
            input=usage.input - row.input,
            cached_input=usage.cached - row.cached_input,
            output=usage.output - row.output,
            reasoning=usage.reasoning - row.reasoning,
            nano_usd=nano_usd - row.nano_usd,
            reserved_tokens=0,
            reserved_nano_usd=0,
            flags=(_CORRECTION, *flags),
            duration=0.0,
            time_to_first_token=None,
            attempts=0,
        )

    def reservation(self, correction: LedgerRow) -> Reservation:
        """Of nothing, in the windows of the estimate: what its correction is settled with."""
        ask = Ask(correction.id, correction.tenant, self.scopes, _NOTHING, (), (), ())
        return Reservation(ask, _GENERATION, self.day, self.month, hour=self.hour)
