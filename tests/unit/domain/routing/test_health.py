"""Who is ejected, for how long, and how it comes back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from app.domain.routing.health import (
    ALL_AVAILABLE,
    HEALTHY,
    Health,
    HealthPolicy,
    State,
    Status,
    availability,
    least_bad,
)

NOW = 1000.0


def fail(health: Health, name: str = "a", *, times: int = 5, now: float = NOW) -> list[bool]:
    return [health.failed(name, now, started=now, jitter=0.0) for _ in range(times)]


def ejected(*names: str, now: float = NOW) -> Health:
    health = Health()
    for name in names:
        assert fail(health, name, now=now)[-1]
    return health


def returned(health: Health, now: float, name: str = "a") -> bool:
    return health.succeeded(name, now, started=now)


def test_five_failures_in_a_row_eject() -> None:
    """The fifth says so, and the ejection lasts half a minute."""
    health = Health()
    assert fail(health) == [False] * 4 + [True]
    assert health.state("a", NOW) == State(Status.EJECTED, NOW + 30)
    assert health.state("b", NOW) == HEALTHY
    assert not health.may_ask("a", NOW + 29.9)


def test_a_success_ends_the_row() -> None:
    """Failures far between are no reason."""
    health = Health()
    for second in range(100):
        fail(health, times=4, now=NOW + second)
        assert not returned(health, NOW + second)
    assert health.all_well()


def test_what_was_asked_before_an_ejection_neither_prolongs_nor_ends_it() -> None:
    """Answers on their way tell of the time before."""
    health = ejected("a")
    assert not health.succeeded("a", NOW + 1, started=NOW - 1)
    assert not health.failed("a", NOW + 1, started=NOW - 1, jitter=0.0)
    assert health.state("a", NOW + 1).until == NOW + 30
    assert not health.failed("a", NOW + 31, started=NOW - 1, jitter=0.0)
    assert health.state("a", NOW + 31).status is Status.HALF_OPEN


def test_a_request_that_times_out_long_after_the_return_does_not_count() -> None:
    """Sixty seconds of first-byte timeout reach over an ejection."""
    health = ejected("a")
    assert returned(health, NOW + 30)
    for _ in range(9):
        assert not health.failed("a", NOW + 59, started=NOW - 1, jitter=0.0)
    assert health.state("a", NOW + 59) == HEALTHY


def test_a_late_success_does_not_hide_failures_since_the_return() -> None:
    """What was asked before it came back ends no row."""
    health = ejected("a")
    assert returned(health, NOW + 30)
    fail(health, times=4, now=NOW + 45)
    assert not health.succeeded("a", NOW + 46, started=NOW + 29)
    assert fail(health, times=1, now=NOW + 47) == [True]


def test_late_failures_do_not_make_it_worse_than_others() -> None:
    """They were many because many had been asked."""
    health = ejected("a", "b")
    for _ in range(9):
        health.failed("a", NOW + 1, started=NOW - 1, jitter=0.0)
    health.failed("b", NOW + 1, started=NOW + 1, jitter=0.0)
    assert least_bad("ba", health, NOW + 2) == ["a", "b"]


def test_each_failed_probe_ejects_for_longer_up_to_five_minutes() -> None:
    """30 s times the ejections in a row; the jitter comes on top."""
    health = Health()
    fail(health)
    now, lengths = NOW, []
    for _ in range(12):
        until = health.state("a", now).until
        lengths.append(until - now)
        now = until
        assert health.failed("a", now, started=now, jitter=0.0)
    assert lengths == [30 * n for n in range(1, 11)] + [300, 300]


def test_jitter_comes_on_top() -> None:
    """What was ejected together is probed apart."""
    health = Health()
    fail(health, times=4)
    health.failed("a", NOW, started=NOW, jitter=0.5)
    assert health.state("a", NOW).until == pytest.approx(NOW + 33)


def test_one_request_at_a_time_probes() -> None:
    """While it is asked it is absent for all others; a probe given up makes room for the next."""
    health = ejected("a")
    now = NOW + 30
    assert health.may_ask("a", now)
    with health.probing("a", now):
        assert not health.may_ask("a", now)
        assert availability(["a", "b"], health, now).absent == {"a": now}
    assert health.may_ask("a", now)
    assert health.state("a", now).status is Status.HALF_OPEN


def test_a_probe_that_takes_long_keeps_nobody_else_from_probing() -> None:
    """It may be a request whose answer takes minutes: after ten seconds there is another."""
    health = ejected("a")
    with health.probing("a", NOW + 30):
        assert not health.may_ask("a", NOW + 39.9)
        assert health.may_ask("a", NOW + 40)
        with health.probing("a", NOW + 40):
            assert not health.may_ask("a", NOW + 49.9)
        assert returned(health, NOW + 41)
    assert health.may_ask("a", NOW + 42)


def test_nobody_probes_what_is_well() -> None:
    """Around requests to a healthy or returning deployment nothing is kept."""
    health = ejected("a")
    assert returned(health, NOW + 30)
    for name in ("a", "b"):
        with health.probing(name, NOW + 31):
            assert health.may_ask(name, NOW + 31)


def test_a_success_lets_it_back_by_a_ramp() -> None:
    """From a tenth to all of its weight in ten seconds."""
    health = ejected("a")
    assert returned(health, NOW + 30)
    factors = [health.state("a", NOW + 30 + second).factor for second in range(0, 10, 3)]
    assert factors == pytest.approx([0.1, 0.37, 0.64, 0.91])
    assert availability(["a", "b"], health, NOW + 33).factors == {"a": pytest.approx(0.37)}
    assert health.state("a", NOW + 40) == HEALTHY
    assert health.all_well()


def test_five_failures_on_the_ramp_eject_for_longer() -> None:
    """One is not enough: it was just seen to serve."""
    health = ejected("a")
    assert returned(health, NOW + 30)
    assert fail(health, now=NOW + 32) == [False] * 4 + [True]
    assert health.state("a", NOW + 32).until == NOW + 92
    assert health.state("a", NOW + 92).status is Status.HALF_OPEN


@pytest.mark.parametrize(
    ("well_for", "length"), [(0, 90), (9.9, 90), (10, 60), (20, 30), (1e6, 30)]
)
def test_ejections_are_forgotten_one_by_one(well_for: float, length: float) -> None:
    """One less for each sweep after the ramp."""
    health = ejected("a")
    assert fail(health, times=1, now=NOW + 30) == [True]
    assert returned(health, NOW + 90)
    again = NOW + 100 + well_for
    fail(health, now=again)
    assert health.state("a", again).until == pytest.approx(again + length)


@pytest.mark.parametrize(("failures", "out"), [(43, True), (42, False)])
def test_a_high_rate_of_failures_ejects(*, failures: int, out: bool) -> None:
    """85 % of 50 requests within one sweep, for a policy that allows long rows."""
    health = Health(HealthPolicy(failures_in_a_row=1000))
    fail(health, times=1)
    for number in range(50 - failures):
        health.succeeded("a", NOW + number / 10, started=NOW + number / 10)
    fail(health, times=failures - 1, now=NOW + 9)
    assert (health.state("a", NOW + 9).status is Status.EJECTED) is out


def test_one_failed_probe_ejects_whatever_the_policy_allows() -> None:
    """It is asked once, not until its rows are long enough."""
    health = Health(HealthPolicy(failures_in_a_row=1000))
    fail(health, times=50)
    assert fail(health, times=1, now=NOW + 30) == [True]


def test_a_rate_is_of_one_sweep() -> None:
    """49 requests in ten seconds are too few, however many sweeps there are."""
    health = Health(HealthPolicy(failures_in_a_row=1000))
    for sweep in range(10):
        assert not any(fail(health, times=49, now=NOW + sweep * 10))
    assert any(fail(health, times=50, now=NOW + 1000))


def test_asked_all_the_same_it_may_show_that_it_serves_again() -> None:
    """With nobody else left, its end of ejection is not waited for."""
    health = ejected("a")
    assert not health.failed("a", NOW + 1, started=NOW + 1, jitter=0.0)
    assert returned(health, NOW + 2)
    assert health.state("a", NOW + 2).status is Status.RAMPING


def test_all_well_costs_nothing() -> None:
    """The same object says for every tier that everybody may be asked."""
    health = Health()
    fail(health, times=4)
    assert availability(["a", "b"], health, NOW) is ALL_AVAILABLE


@pytest.mark.parametrize(
    ("size", "bad", "absent"),
    [(1, 1, 1), (2, 1, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2), (5, 5, 2), (6, 2, 2)],
)
def test_at_most_half_of_a_tier_is_absent(size: int, bad: int, absent: int) -> None:
    """Those beyond stay with a tenth of their weight; one may always be absent."""
    names = [f"d{number}" for number in range(size)]
    found = availability(names, ejected(*names[:bad]), NOW + 1)
    assert len(found.absent) == absent
    assert set(found.absent.values()) == {NOW + 30}
    assert list(found.factors.values()) == [0.1] * (bad - absent)
    assert found.absent.keys() | found.factors.keys() == set(names[:bad])


def test_those_stay_that_fail_least() -> None:
    """Whoever is due for a probe, then who failed less often."""
    health = ejected("a", "b", "c")
    for name in ("a", "b"):
        health.failed(name, NOW + 1, started=NOW + 1, jitter=0.0)
    assert availability(["a", "b", "c", "d"], health, NOW + 2).factors == {"c": 0.1}
    fail(health, "c", times=3, now=NOW + 3)
    fail(health, "a", times=1, now=NOW + 3)
    assert least_bad("abcd", health, NOW + 4) == ["d", "b", "a", "c"]


def test_when_all_are_bad_each_failure_moves_one_back() -> None:
    """So nobody is left out for ever, and nobody takes all."""
    health = ejected("a", "b", "c")
    asked = []
    for second in range(9):
        asked.append(least_bad("abc", health, NOW + second)[0])
        fail(health, asked[-1], times=1, now=NOW + second)
    assert asked == ["a", "b", "c"] * 3
    assert all(one != other for one, other in pairwise(asked))


def broken(health: Health, *, times: int, now: float = NOW) -> list[bool]:
    """Answers that began, which is a success, and broke off."""
    said = []
    for _ in range(times):
        returned(health, now)
        said.append(health.broke("a", now, started=now, jitter=0.0))
    return said


def test_five_answers_broken_off_in_a_row_eject() -> None:
    """That each of them began well changes nothing."""
    health = Health()
    assert broken(health, times=5) == [False] * 4 + [True]
    assert health.state("a", NOW).status is Status.EJECTED


def test_a_complete_answer_ends_the_row_of_broken_ones() -> None:
    """And what broke off for an ejection that is known is no news."""
    health = Health()
    for _ in range(10):
        broken(health, times=4)
        health.completed("a")
    assert health.all_well()
    health.completed("nobody")
    health = ejected("a")
    assert not any(health.broke("a", NOW + 1, started=NOW, jitter=0.0) for _ in range(9))
    assert health.state("a", NOW + 1) == State(Status.EJECTED, NOW + 30)


def test_what_is_forgotten_is_as_one_that_never_failed() -> None:
    """Ejected or not."""
    health = Health()
    for _ in range(5):
        health.failed("a", NOW, started=NOW, jitter=0.0)
    assert not health.may_ask("a", NOW)
    health.forget("a")
    health.forget("b")
    assert health.may_ask("a", NOW)
    assert health.all_well()
