"""Nano-dollars in whole units of a currency, such as cents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from app.domain.quota.limit import NANO

#: Digits behind the point (ISO 4217), of those that have not two.
_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_HALF: Final = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Currency:
    """`per_usd` of it are one US dollar."""

    code: str = "USD"
    per_usd: Fraction = Fraction(1)

    @property
    def digits(self) -> int:
        """Behind the point."""
        return _DIGITS.get(self.code, 2)

    def units(self, nano_usd: int) -> int:
        """In the smallest unit, to the nearest; a half is rounded up."""
        exact = nano_usd * self.per_usd * 10**self.digits / NANO
        return int((exact + _HALF) // 1)

    def shown(self, units: int) -> str:
        """`1234` as `12.34`."""
        if not self.digits:
            return str(units)
        whole, rest = divmod(units, 10**self.digits)
        return f"{whole}.{rest:0{self.digits}}"


USD: Final = Currency()
