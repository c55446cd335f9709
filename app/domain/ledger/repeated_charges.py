"""Finds ids that were charged twice among many rows, in memory that does not grow with them.

A Redis that lost its last moments lets a request be settled again; the archive then has both rows,
and the first one counts. Rows are shown twice: to `see` all of them, then to ask `repeats` in the
same order. Between the two only ids are remembered that may be there more than once.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import unpack
from typing import Final

from app.domain.ledger.ledger_row import CHARGED, LedgerRow

#: 16 MiB. Of ten million charges one in three hundred is remembered for nothing.
_BITS: Final = 27
_MASK: Final = (1 << _BITS) - 1


class RepeatedCharges:
    """Of one period's rows."""

    def __init__(self) -> None:
        self._seen = bytearray(1 << (_BITS - 3))
        self._suspects: set[bytes] = set()
        self._charged: set[bytes] = set()

    def see(self, row: LedgerRow) -> None:
        """Take note of a row, in the first round."""
        if row.kind not in CHARGED:
            return
        identity = _identity(row)
        known = True
        for place in unpack("<4I", identity):
            index, bit = (place & _MASK) >> 3, 1 << (place & 7)
            known = known and bool(self._seen[index] & bit)
            self._seen[index] |= bit
        if known:
            self._suspects.add(identity)

    def repeats(self, row: LedgerRow) -> bool:
        """Whether a row before it has charged the same, in the second round."""
        if not self._suspects or row.kind not in CHARGED:
            return False
        identity = _identity(row)
        if identity not in self._suspects:
            return False
        if identity in self._charged:
            return True
        self._charged.add(identity)
        return False


def _identity(row: LedgerRow) -> bytes:
    """128 bits: two ids that have the same are not to be expected."""
    return blake2b(f"{row.tenant}\0{row.id}".encode(), digest_size=16).digest()
