"""Recorded requests, as a replay needs them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app.domain.ledger.ledger_row import CHARGED, LedgerRow

#: Of a file that says no durations: the first token, and each further one (seconds).
_FIRST_TOKEN_S: Final = 0.5
_PER_TOKEN_S: Final = 0.015
_NUMBERS: Final = ("input", "cached_input", "output", "max_output")


class Recorded(NamedTuple):
    """One request that was answered; times in seconds, `at` Unix time of its beginning.

    `cached` is a part of `prompt`; `cap` is the most that its answer might have had, None: unknown.
    """

    at: float
    duration: float
    prompt: int
    cached: int
    output: int
    cap: int | None = None
    tenant: str = ""


class UnreadableTraffic(ValueError):
    """A file says something else than traffic; the text names the line."""


def of_ledger(rows: Iterable[LedgerRow], model: str) -> Iterator[Recorded]:
    """What an upstream answered of one model as callers name it.

    Answers from the cache, the gateway's own errands and corrections ask nothing of a PTU that
    callers would.
    """
    for row in rows:
        served = row.kind in CHARGED and row.model == model and row.deployment is not None
        if served and not row.errand and not row.corrects and row.started_at > 0:
            yield Recorded(
                row.started_at,
                row.duration,
                row.input,
                row.cached_input,
                row.output,
                tenant=row.tenant,
            )


def of_csv(lines: Iterable[str]) -> Iterator[Recorded]:
    """Lines below a heading; raises UnreadableTraffic.

    Columns are `at`, `input` and `output`, and if told `cached_input`, `max_output`, `duration_s`
    and `tenant`. `at` is Unix time, or ISO 8601 (UTC where it names no zone).
    """
    reader = csv.DictReader(lines)
    missing = {"at", "input", "output"} - set(reader.fieldnames or ())
    if missing:
        raise UnreadableTraffic(f"line 1: no column {', '.join(sorted(missing))}")
    for record in reader:
        try:
            yield _recorded(record)
        except (ValueError, OverflowError) as error:
            raise UnreadableTraffic(f"line {reader.line_num}: {error}") from error


def _recorded(record: dict[str, str | None]) -> Recorded:
    numbers = {name: _tokens(record, name) for name in _NUMBERS}
    prompt, output = numbers["input"], numbers["output"]
    if prompt is None or output is None:
        raise ValueError("input or output is missing")
    cached = numbers["cached_input"] or 0
    if cached > prompt:
        raise ValueError(f"cached_input {cached} is more than input {prompt}")
    duration = record.get("duration_s")
    seconds = float(duration) if duration else _FIRST_TOKEN_S + _PER_TOKEN_S * output
    if not 0 <= seconds < math.inf:
        raise ValueError(f"duration_s {duration!r} is no time")
    cap, tenant = numbers["max_output"], record.get("tenant") or ""
    return Recorded(_moment(record["at"] or ""), seconds, prompt, cached, output, cap, tenant)


def _tokens(record: dict[str, str | None], name: str) -> int | None:
    text = record.get(name)
    if not text:
        return None
    if not text.strip().isdecimal():
        raise ValueError(f"{name} {text!r} is no number of tokens")
    return int(text)


def _moment(text: str) -> float:
    try:
        moment = float(text)
    except ValueError:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not 0 <= moment < math.inf:
        raise ValueError(f"at {text!r} is no time")
    return moment


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` to before `until`, Unix seconds."""

    since: float
    until: float

    @property
    def hours(self) -> float:
        return (self.until - self.since) / 3600
