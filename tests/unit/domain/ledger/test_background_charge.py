from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.domain.ledger.background_charge import BackgroundCharge
from app.domain.ledger.ledger_row import decode, encode, marked
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.reservation import Ask, Reservation
from app.domain.quota.usage import Usage
from tests.fakes.ledger_rows import ledger_row

NOW = 1_790_000_000.0
DAY, MONTH = days_around(NOW)[1], months_around(NOW)[1]
SCOPES = ("", "key:k1")
ESTIMATE = ledger_row(
    "r1",
    request_id="q1",
    reserved_tokens=8,
    flags=("estimated",),
    tags={"project": "x"},
    spill="burst",
    started_at=NOW - 5,
    duration=5.0,
    attempts=1,
    hour="2026-09-21T10",
)
COUNT = st.integers(0, 10**9)


def charge_of() -> BackgroundCharge:
    ask = Ask("r1", "search", SCOPES, ESTIMATE.charged, (), (), ())
    return BackgroundCharge.of(ESTIMATE, Reservation(ask, "g1", DAY, MONTH))


@given(COUNT, COUNT, COUNT, COUNT, st.integers(0, 2**53))
def test_both_rows_add_up_to_what_was_used(
    read: int, cached: int, made: int, reasoning: int, nano_usd: int
) -> None:
    """Whether it was more than the estimate or less."""
    correction = charge_of().correction(Usage(read, cached, made, reasoning), nano_usd, NOW)
    both = (ESTIMATE, decode(encode(correction)))
    assert sum(row.input for row in both) == read
    assert sum(row.cached_input for row in both) == cached
    assert sum(row.output for row in both) == made
    assert sum(row.reasoning for row in both) == reasoning
    assert sum(row.nano_usd for row in both) == nano_usd
    assert sum(row.charged.tokens for row in both) == read + made
    assert sum(row.charged.requests for row in both) == 1


def test_a_correction_is_counted_where_the_estimate_was() -> None:
    """In its day, hour, scopes and tags; it took no time, and no attempt."""
    correction = charge_of().correction(Usage(1, 0, 1), 1, NOW)
    assert (correction.id, correction.corrects, correction.at) == ("r1-corrected", "r1", NOW)
    kept = ("day", "hour", "tags", "spill", "model", "key_id", "request_id", "started_at")
    assert [getattr(correction, each) for each in kept] == [
        getattr(ESTIMATE, each) for each in kept
    ]
    assert correction.flags == ("correction",)
    assert (correction.duration, correction.attempts) == (0.0, 0)
    settled = charge_of().reservation(correction)
    assert (settled.ask.id, settled.ask.scopes) == ("r1-corrected", SCOPES)
    assert (settled.day, settled.month, settled.hour) == (DAY, MONTH, None)


def test_no_outage_is_told_of_a_correction() -> None:
    """The account never knew a hold of it, and need not."""
    correction = charge_of().correction(Usage(1, 0, 1), 1, NOW)
    assert marked(correction, "adopted", NOW) == correction
    assert marked(replace(correction, corrects=""), "adopted", NOW).kind == "merged"
