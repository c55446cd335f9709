from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ledger.export_plan import Done, Every, Step, next_step, period_at

NOON = datetime(2026, 11, 20, 12, 30, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC).timestamp()


def test_that_periods_are_whole_hours_and_days_of_utc() -> None:
    """Named as they sort."""
    day, hour = period_at(NOON, Every.DAY), period_at(NOON, Every.HOUR)
    assert (day.name, day.ends - day.starts) == ("2026-11-20", 86_400)
    assert (hour.name, hour.starts, hour.day) == ("2026-11-20T12", NOON - 1800, "2026-11-20")
    assert period_at(MIDNIGHT, Every.DAY).name == "2026-11-21"


def test_that_a_period_is_due_a_while_after_its_end() -> None:
    """Not before: rows are still coming; and one step is one period, however late it is."""
    done = Done(7, period_at(NOON, Every.DAY).starts)
    assert next_step(done, 9, MIDNIGHT + 299, Every.DAY, 300) is None
    assert next_step(done, 9, MIDNIGHT + 300, Every.DAY, 300) == Step(done, Done(9, MIDNIGHT))
    assert next_step(done, 9, MIDNIGHT + 10**6, Every.DAY, 300) == Step(done, Done(9, MIDNIGHT))


def test_that_an_archive_that_begins_anew_does_not_turn_the_cursor_back() -> None:
    """Lines that are exported stay so."""
    step = next_step(Done(7, MIDNIGHT), 3, MIDNIGHT + 10**6, Every.HOUR, 0)
    assert step is not None
    assert step.after.line == 7


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40),
    st.sampled_from(Every),
)
def test_that_each_row_is_exported_by_exactly_one_step(
    arrivals: list[tuple[int, bool]], every: Every
) -> None:
    """However rows, late ones among them, and looks for what is due follow each other."""
    length = 3600 if every is Every.HOUR else 86_400
    rows: list[tuple[int, float]] = []
    steps: list[Step] = []
    done, now = Done(0, MIDNIGHT), MIDNIGHT
    for late, looks in arrivals:
        now += length / 3
        rows.append((len(rows) + 1, now - late * length / 4))
        while looks and (step := next_step(done, len(rows), now, every, 10)):
            steps.append(step)
            done = step.after
    for line, at in rows:
        exported = sum(step.is_new(line, at) for step in steps)
        assert exported == (1 if line <= done.line and at < done.through else 0)
