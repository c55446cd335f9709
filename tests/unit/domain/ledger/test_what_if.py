from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ledger import what_if as module
from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.domain.ledger.what_if import TooManyRows, WhatIf, what_if
from app.domain.quota.limit import NANO, LimitName, LimitRule, Mode
from tests.fakes.ledger_rows import ledger_row

START = 1_790_000_000.0


def row(id_: str, at: float, lasts: float = 1.0, **fields: Any) -> LedgerRow:
    """A request that began `at` seconds after START, and what it reserved and used."""
    starts = START + at
    return ledger_row(id_, started_at=starts, at=starts + lasts, **fields)


def rule(name: str, amount: float, **fields: Any) -> LimitRule:
    return LimitRule(LimitName(name), amount, **fields)


def refused(rows: list[LedgerRow], *rules: LimitRule, **period: float) -> int:
    return what_if(rows, rules, **period).refused


def test_that_a_rate_refuses_what_has_no_room_and_forgets_after_its_window() -> None:
    """Two a minute: the third is refused, and one after 61 seconds is not."""
    rows = [row("a", 0), row("b", 1), row("c", 2), row("d", 63)]
    outcome = what_if(rows, [rule("rpm", 2)])
    assert (outcome.requests, outcome.refused, outcome.first_refused_at) == (4, 1, START + 2)
    assert outcome.limits[0].peak == 3


def test_that_what_is_refused_takes_nothing() -> None:
    """A refused request leaves its room to the one after it."""
    rows = [row("a", 0, input=60), row("b", 1, input=60), row("c", 2, input=20)]
    assert refused(rows, rule("tokens_per_day", 100)) == 1


def test_that_a_fractional_rate_is_one_in_several_seconds() -> None:
    """Half a request a second."""
    rows = [row("a", 0), row("b", 1), row("c", 2.5)]
    assert refused(rows, rule("rps", 0.5)) == 1


def test_that_what_runs_counts_until_it_ends() -> None:
    """Room for one: the second overlaps, the third begins as the first ends."""
    rows = [row("a", 0, lasts=5), row("b", 4, lasts=5), row("c", 5, lasts=1)]
    assert refused(rows, rule("concurrency", 1)) == 1


def test_that_a_reservation_counts_until_it_is_settled() -> None:
    """90 are reserved and 10 used: in between there is no room for 20 more."""
    during = [row("a", 0, 10, input=10, output=0, reserved_tokens=90), row("b", 5, input=20)]
    after = [during[0], row("b", 11, input=20)]
    assert refused(during, rule("tokens_per_day", 100)) == 1
    assert refused(after, rule("tokens_per_day", 100)) == 0
    assert refused(during, rule("tpm", 100)) == 1
    assert refused(after, rule("tpm", 100)) == 0


def test_that_more_than_was_reserved_counts_too() -> None:
    """Also where the window has forgotten the reservation meanwhile."""
    rows = [
        row("a", 0, 100, input=0, output=90, reserved_tokens=10),
        row("b", 101, input=21, output=0),
    ]
    assert refused(rows, rule("tpm", 100)) == 1


def test_that_days_and_months_are_those_that_were_charged() -> None:
    """The tenant's own, as recorded."""
    rows = [
        row("a", 0, day="2026-11-29"),
        row("b", 1, day="2026-11-30"),
        row("c", 2, day="2026-12-01"),
    ]
    assert refused(rows, rule("requests_per_day", 1)) == 0
    assert refused(rows, rule("tokens_per_month", 8)) == 1


def test_that_money_is_counted_in_nano_dollars() -> None:
    """A dollar a day is used up by two halves."""
    half = NANO // 2
    rows = [row(id_, at, nano_usd=half, reserved_nano_usd=half) for at, id_ in enumerate("abc")]
    assert refused(rows, rule("usd_per_day", 1)) == 1


def test_that_soft_and_shadow_limits_refuse_nothing() -> None:
    """They say how many were over."""
    rows = [row("a", 0), row("b", 1)]
    for mode in (Mode.SOFT, Mode.SHADOW):
        outcome = what_if(rows, [rule("rpm", 1, mode=mode)])
        assert (outcome.refused, outcome.limits[0].over) == (0, 1)


def test_that_a_limit_is_about_its_key_and_model() -> None:
    """What another key or model uses does not count."""
    rows = [row("a", 0, key_id="k1"), row("b", 1, key_id="k2"), row("c", 2, model="small")]
    assert refused(rows, rule("rpm", 0, key_id="k2")) == 1
    assert refused(rows, rule("rpm", 0, model="small")) == 1
    assert refused(rows, rule("rpm", 0, key_id="k2", model="small")) == 0


def test_that_an_override_holds_until_its_moment() -> None:
    """Afterwards the amount is what it was."""
    rows = [row("a", 0), row("b", 100)]
    limit = rule("rpm", 0, override=5, override_until=START + 50)
    outcome = what_if(rows, [limit])
    assert (outcome.refused, outcome.first_refused_at) == (1, START + 100)


def test_that_what_was_before_the_period_counts_and_is_not_refused() -> None:
    """A day's limit in the middle of the day."""
    rows = [row("a", 0), row("b", 1), row("c", 10), row("d", 20)]
    outcome = what_if(rows, [rule("requests_per_day", 1)], since=START + 10, until=START + 20)
    assert (outcome.requests, outcome.refused) == (1, 1)


def test_that_only_what_asked_is_replayed_and_each_request_once() -> None:
    """Not what was refused or unmetered; late settlements and corrections are no other requests."""
    rows = [
        row("a", 0, kind=RowKind.REFUSED),
        row("b", 1, kind=RowKind.UNMETERED),
        row("c", 2, kind=RowKind.EXPIRED),
        row("c", 2, lasts=500),
        row("c", 2, lasts=500),
        row("d", 3, kind=RowKind.RELEASED),
        row("d-corrected", 3, corrects="d"),
    ]
    assert what_if(rows, []).requests == 2


def test_that_what_was_released_is_given_back() -> None:
    """It took room while it ran, and none afterwards."""
    gone = row("a", 0, kind=RowKind.RELEASED, reserved_tokens=100)
    assert refused([gone, row("b", 0.5)], rule("tokens_per_day", 100)) == 1
    assert refused([gone, row("b", 2)], rule("tokens_per_day", 100)) == 0


def test_that_a_replay_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A period that is too long is refused, not begun."""
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    with pytest.raises(TooManyRows):
        what_if((row(str(number), number) for number in range(4)), [])


def by_hand(starts: list[int], limit: int) -> int:
    """A sliding minute, second by second: a second's bucket counts until it is 60 s old."""
    admitted: list[int] = []
    count = 0
    for second in sorted(starts):
        if sum(1 for earlier in admitted if earlier + 1 + 60 > second) < limit:
            admitted.append(second)
        else:
            count += 1
    return count


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(0, 8))
def test_that_a_rate_agrees_with_counting_by_hand(starts: list[int], limit: int) -> None:
    """Whatever the traffic, and in whatever order the rows were recorded."""
    origin = START - START % 60
    rows = [
        ledger_row(str(number), started_at=origin + second, at=origin + second)
        for number, second in enumerate(starts)
    ]
    expected = by_hand(starts, limit)
    assert refused(rows, rule("rpm", limit)) == expected
    assert refused(rows[::-1], rule("rpm", limit)) == expected


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=40), st.integers(1, 6))
def test_that_no_more_run_at_once_than_are_let(spans: list[tuple[int, int]], limit: int) -> None:
    """Those that were admitted never overlap more than the limit."""
    rows = [row(str(number), at, lasts) for number, (at, lasts) in enumerate(spans)]
    outcome: WhatIf = what_if(rows, [rule("concurrency", limit)])
    assert outcome.requests == len(spans)
    most = max((sum(a <= at < a + b or a == at for a, b in spans) for at, _ in spans), default=0)
    if most <= limit:
        assert outcome.refused == 0
    assert outcome.refused <= max(0, len(spans) - limit)
