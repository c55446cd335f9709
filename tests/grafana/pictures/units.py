"""Figures as Grafana writes them, for the units that the dashboards have."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

_THOUSANDS: Final = ("", " K", " Mil", " Bil", " Tri")
_BYTES: Final = (" B", " KiB", " MiB", " GiB", " TiB")
_SHORT_TIMES: Final = ((1e-6, 1e-9, " ns"), (1e-3, 1e-6, " µs"), (1, 1e-3, " ms"))
_LONG_TIMES: Final = (
    (60, 1, " s"),
    (3_600, 60, " mins"),
    (86_400, 3_600, " hours"),
    (604_800, 86_400, " days"),
    (31_536_000, 604_800, " weeks"),
    (math.inf, 31_536_000, " years"),
)


def written(value: float, unit: str, decimals: int | None = None) -> str:
    """The value with its unit."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return _UNITS[unit](value, decimals)


def _short(value: float, decimals: int | None) -> str:
    return _scaled(value, 1_000, _THOUSANDS, decimals)


def _dollars(value: float, decimals: int | None) -> str:
    sign, size = ("-", -value) if value < 0 else ("", value)
    return f"{sign}${_scaled(size, 1_000, ('', 'K', 'M', 'B', 'T'), decimals)}"


def _percent(value: float, decimals: int | None) -> str:
    return f"{_fixed(100 * value, decimals)}%"


def _seconds(value: float, decimals: int | None) -> str:
    size = abs(value)
    if size == 0:
        return "0 s"
    steps = _SHORT_TIMES if size < 1 else _LONG_TIMES
    _, factor, name = next(step for step in steps if size < step[0])
    return f"{_fixed(value / factor, decimals)}{name}"


def _scaled(value: float, base: int, names: Sequence[str], decimals: int | None) -> str:
    power = 0
    while abs(value) >= base and power < len(names) - 1:
        value, power = value / base, power + 1
    return f"{_fixed(value, decimals)}{names[power]}"


def _fixed(value: float, decimals: int | None) -> str:
    """Three figures where nobody said how many decimals; nothing that is only zeros."""
    if decimals is None:
        size = abs(value)
        places = 0 if size == 0 else max(0, 2 - math.floor(math.log10(size)))
        text = f"{value:.{min(places, 6)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{decimals}f}"


_UNITS: Final[dict[str, Callable[[float, int | None], str]]] = {
    "short": _short,
    "currencyUSD": _dollars,
    "percentunit": _percent,
    "s": _seconds,
    "bytes": lambda value, decimals: _scaled(value, 1_024, _BYTES, decimals),
    "reqps": lambda value, decimals: f"{_short(value, decimals)} req/s",
    "ops": lambda value, decimals: f"{_short(value, decimals)} ops/s",
    "bool_yes_no": lambda value, _: "Yes" if value else "No",
}
