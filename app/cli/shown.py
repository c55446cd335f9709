"""Values of the admin API as people read them: money in dollars, times in the local zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from app.domain.explain.why import duration

NONE: Final = "-"
_NANO: Final = Decimal(1_000_000_000)


def text(value: object) -> str:
    """Text without what would steer a terminal; a dash for nothing."""
    if value is None or value == "":
        return NONE
    return "".join(each if each.isprintable() else "\ufffd" for each in str(value))


def count(value: float | None) -> str:
    """1234567 as 1,234,567; fractions as they are."""
    if value is None:
        return NONE
    whole = int(value) == value
    return f"{int(value):,}" if whole else f"{value:,}"


def percent(part: float | None) -> str:
    """0.756 as 76 %."""
    return NONE if part is None else f"{part:.0%}".replace("%", " %")


def seconds(value: float | None, *, none: str = NONE) -> str:
    """`800 ms` or `2.3 s`."""
    return none if value is None else duration(value)


def dollars(nano_usd: int | None, places: int = 4) -> str:
    """Nano-dollars in dollars; what would be rounded to nothing is said to be less.

    What a correction takes back is below zero.
    """
    if nano_usd is None:
        return NONE
    least = Decimal(1).scaleb(-places)
    exact = Decimal(nano_usd) / _NANO
    if 0 < exact < least:
        return f"<${least}"
    sign = "-" if exact < 0 else ""
    return f"{sign}${abs(exact).quantize(least, ROUND_HALF_EVEN):,}"


def amount(limit: str, value: float | None) -> str:
    """A limit's amount, which is dollars where the limit is named for them."""
    if value is None:
        return NONE
    if not limit.startswith("usd_"):
        return count(value)
    whole_cents = f"${value:,.2f}"
    exact = f"${value:,.9f}".rstrip("0")
    return max(whole_cents, exact, key=len)


def moments(zone: tzinfo | None) -> Callable[[object], str]:
    """How Unix seconds or ISO 8601 are shown in a zone; None is this machine's."""

    def shown(value: object) -> str:
        if isinstance(value, str):
            return _at(datetime.fromisoformat(value), zone) if value else NONE
        if not isinstance(value, int | float) or value == 0:
            return NONE
        return _at(datetime.fromtimestamp(value, UTC), zone)

    return shown


def listed(values: Sequence[object] | None, *, none: str = NONE) -> str:
    """Values with commas between them."""
    if values is None:
        return none
    return text(", ".join(map(str, values)))


def pairs(values: Mapping[str, Any] | None) -> str:
    """Tags as they are given: name=value."""
    return listed([f"{name}={value}" for name, value in (values or {}).items()])


def _at(moment: datetime, zone: tzinfo | None) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
