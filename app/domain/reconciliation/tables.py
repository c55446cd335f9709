"""Exports that are tables: metrics, and Cost Management's files. Columns are found by name."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from app.domain.reconciliation.metrics_json import MEASURES, moment
from app.domain.reconciliation.series import DAY_S, HOUR_S, Measure, Point, UnreadableExport

#: Of metrics: as Log Analytics' table AzureMetrics and the REST API name them.
_AT: Final = ("timegenerated", "timestamp", "time")
_METRIC: Final = ("metricname", "metric")
_TOTAL: Final = ("total", "value")
_DEPLOYMENT: Final = ("modeldeploymentname", "deployment")
_RESOURCE: Final = ("_resourceid", "resourceid", "resource", "instanceid")
#: Of costs: EA and MCA (cost and usage details), then FOCUS 1.0 to 1.2.
_DAY: Final = ("date", "usagedatetime", "chargeperiodstart")
_METER: Final = ("metername", "x_skumetername", "skumeter")
_QUANTITY: Final = ("quantity", "consumedquantity")
_UNIT: Final = ("unitofmeasure", "consumedunit")

_LAST_PART: Final = re.compile(r"([^/]+)/?$")
_BLOCK: Final = re.compile(r"\s*(\d+)\s*([KM]?)", re.IGNORECASE)
_TIMES: Final = {"": 1, "K": 1000, "M": 1_000_000}
#: As meters are called: `gpt 4o 1120 cached Inp glbl Tokens`, `5.4 mini cd Inp Gl 1M Tokens`.
_METERS: Final[Mapping[Measure, re.Pattern[str]]] = {
    Measure.CACHED: re.compile(r"\b(cached|cchd|cd)\b", re.IGNORECASE),
    Measure.OUTPUT: re.compile(r"\b(outp?|opt|output)\b", re.IGNORECASE),
    Measure.UNCACHED: re.compile(r"\b(inpt?|in|input)\b|embedding", re.IGNORECASE),
}
#: `Provisioned Managed Global Unit`, a PTU for an hour; Data Zone and Regional have their own.
_PTUS: Final = re.compile(r"^provisioned managed .*\bunit$", re.IGNORECASE)
#: Of what does not come through the gateway, or is no text.
_OTHERS: Final = re.compile(r"\b(batch|aud|audio|img|image|train\w*|ft|grader)\b", re.IGNORECASE)

Record = Mapping[str, str]


def of_table(lines: Iterable[str]) -> tuple[list[Point], int]:
    """Its points, and the seconds that each of them counts. Raises UnreadableExport."""
    reader = csv.DictReader(lines)
    columns = {name.strip().lstrip("\ufeff").lower() for name in reader.fieldnames or ()}
    if columns & {*_METER}:
        return list(_read(reader, _cost_point)), DAY_S
    if columns & {*_METRIC} and columns & {*_TOTAL}:
        return list(_read(reader, _metric_point)), HOUR_S
    raise UnreadableExport(
        "line 1: neither metrics (TimeGenerated, MetricName, Total, ModelDeploymentName) nor costs "
        "(Date, MeterName, Quantity, UnitOfMeasure, ResourceId)"
    )


def _read(reader: csv.DictReader[str], point: Callable[[Record], Point | None]) -> Iterator[Point]:
    for given in reader:
        record = {
            str(name).strip().lstrip("\ufeff").lower(): value or "" for name, value in given.items()
        }
        try:
            found = point(record)
        except UnreadableExport as error:
            raise UnreadableExport(f"line {reader.line_num}: {error}") from error
        if found is not None:
            yield found


def _metric_point(record: Record) -> Point | None:
    measure, total = MEASURES.get(_of(record, _METRIC).lower()), _of(record, _TOTAL)
    if measure is None or not total:
        return None
    where = _last(_of(record, _RESOURCE)), _of(record, _DEPLOYMENT)
    return Point(*where, measure, moment(_of(record, _AT)), int(_number(total)))


def _cost_point(record: Record) -> Point | None:
    """Tokens, or hours of PTUs, that a meter counted on a day (UTC); None for other meters."""
    measure = meter_measure(_of(record, _METER))
    if measure is None:
        return None
    tokens = _number(_of(record, _QUANTITY)) * _block(_of(record, _UNIT))
    resource = _last(_of(record, _RESOURCE))
    return Point(resource, "", measure, _day(_of(record, _DAY)), int(tokens.to_integral_value()))


def meter_measure(name: str) -> Measure | None:
    """What a meter counts; None: nothing that a gateway's request has, and no PTUs."""
    words = re.sub(r"[^A-Za-z0-9.]+", " ", name)
    if _PTUS.search(words):
        return Measure.PTU_HOURS
    if not words.lower().endswith("tokens") or _OTHERS.search(words):
        return None
    return next((measure for measure, of in _METERS.items() if of.search(words)), None)


def _block(unit: str) -> int:
    """`1K` is a thousand; a unit without a number is one."""
    found = _BLOCK.match(unit)
    return int(found[1]) * _TIMES[found[2].upper()] if found else 1


def _day(given: str) -> int:
    """EA and MCA write 11/21/2026 or 2026-11-21."""
    with suppress(ValueError):
        given = datetime.strptime(given, "%m/%d/%Y").date().isoformat()  # noqa: DTZ007  # a day
    return moment(given)


def _number(given: str) -> Decimal:
    try:
        number = Decimal(given)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise UnreadableExport(f"{given[:40]!r} is no number")
    return number


def _of(record: Record, names: Sequence[str]) -> str:
    return next((record[name] for name in names if record.get(name)), "")


def _last(resource: str) -> str:
    """The account's name, of its whole id or alone."""
    found = _LAST_PART.search(resource)
    return found[1] if found else ""
