"""Numbers, amounts and times as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from app.domain.quota.limit import NANO

NONE: Final = "\N{EN DASH}"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_LARGE: Final = 10_000
_CENT: Final = 0.01


def count(value: float | None) -> str:
    """`1,234`; of a small number that is not whole, `0.25`."""
    if value is None:
        return NONE
    if value == round(value) or abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:,.2f}"


def dollars(value: float | None) -> str:
    """`$1,234.56`; cents in full where it is less than one."""
    if value is None:
        return NONE
    sign, amount = "-" if value < 0 else "", abs(value)
    if 0 < amount < _CENT:
        return f"{sign}${amount:.6f}"
    return f"{sign}${amount:,.4f}" if 0 < amount < 1 else f"{sign}${amount:,.2f}"


def nano_dollars(value: int | None) -> str:
    """The same of nano-dollars."""
    return NONE if value is None else dollars(value / NANO)


def percent(value: float | None) -> str:
    """`12.3 %` of a part of 1."""
    if value is None:
        return NONE
    return f"{value * 100:.0f} %" if value == round(value, 2) else f"{value * 100:.1f} %"


def seconds(value: float | None) -> str:
    """`850 ms`, `2.41 s`, `3 min`, `2 h`."""
    if value is None:
        return NONE
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < _MINUTE_S:
        return f"{value:.2f} s"
    if value < _HOUR_S:
        return f"{value / _MINUTE_S:.0f} min"
    return f"{value / _HOUR_S:.1f} h" if value < 2 * _DAY_S else f"{value / _DAY_S:.0f} days"


def size(value: float | None) -> str:
    """`12 kB`."""
    if value is None:
        return NONE
    for unit in ("B", "kB", "MB"):
        if abs(value) < 1000:  # noqa: PLR2004  # what the prefixes stand for
            return f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.1f} GB"


def moment(value: float | None) -> str:
    """`2026-11-21 22:58:03 UTC` of Unix seconds."""
    return NONE if value is None else f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock_time(value: float | None) -> str:
    """`22:58:03` of Unix seconds, in UTC."""
    return NONE if value is None else f"{datetime.fromtimestamp(value, UTC):%H:%M:%S}"


def machine_time(value: float) -> str:
    """The same for `<time datetime=…>`."""
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")


FILTERS: Final = {
    "count": count,
    "dollars": dollars,
    "nano": nano_dollars,
    "percent": percent,
    "seconds": seconds,
    "size": size,
    "moment": moment,
    "clock": clock_time,
    "machine_time": machine_time,
}
