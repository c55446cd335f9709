"""What attempts after errors are paid from."""

from __future__ import annotations

from app.domain.routing.retry_budget import Draw, RetryBudget, RetryPolicy

NOW = 1000.0


def drawn(budget: RetryBudget, now: float = NOW) -> list[Draw]:
    """All that can be drawn at once."""
    draws = []
    while (draw := budget.try_spend(now)) is not None:
        draws.append(draw)
    return draws


def after(requests: int, now: float = NOW) -> RetryBudget:
    budget = RetryBudget()
    for _ in range(requests):
        budget.started(now)
    return budget


def test_five_requests_pay_for_a_retry() -> None:
    """20 % each; the reserve is drawn on last."""
    assert drawn(after(4)) == [Draw.RESERVE] * 3
    assert drawn(after(10)) == [Draw.DEPOSIT] * 2 + [Draw.RESERVE] * 3


def test_deposits_expire() -> None:
    """After ten seconds, to the second, what was not spent is gone."""
    budget = after(50)
    assert budget.left(NOW + 9.9) == 13
    assert budget.left(NOW + 10) == 3
    for _ in range(5):
        budget.started(NOW + 11)
    assert drawn(budget, NOW + 11) == [Draw.DEPOSIT] + [Draw.RESERVE] * 3


def test_the_oldest_deposit_is_spent_first() -> None:
    """So that little expires."""
    budget = after(5)
    for _ in range(5):
        budget.started(NOW + 8)
    assert budget.try_spend(NOW + 8) is Draw.DEPOSIT
    assert budget.left(NOW + 12) == 4


def test_a_retry_may_be_paid_from_several_seconds() -> None:
    """One request a second adds up within ten seconds."""
    budget = RetryBudget(RetryPolicy(reserve=0))
    for second in range(5):
        assert budget.try_spend(NOW + second) is None
        budget.started(NOW + second)
    assert drawn(budget, NOW + 4) == [Draw.DEPOSIT]
    assert budget.left(NOW + 4) == 0


def test_a_quiet_gateway_may_retry() -> None:
    """While retries help, the reserve limits only how many there are at once."""
    budget = RetryBudget()
    for minute in range(100):
        now = NOW + 60 * minute
        budget.started(now)
        draw = budget.try_spend(now)
        assert draw is Draw.RESERVE
        budget.finished(draw, failed=False)
        budget.served()


def test_the_reserve_is_three_at_once() -> None:
    """A fourth waits until one ended; given up is not failed."""
    budget = RetryBudget()
    draws = drawn(budget)
    assert len(draws) == 3
    budget.finished(draws[0], failed=False)
    assert len(drawn(budget)) == 1


def test_retries_that_failed_are_not_given_back_until_something_is_served() -> None:
    """One after the other they would be as many as fit into the time."""
    budget = RetryBudget()
    for draw in drawn(budget):
        budget.finished(draw, failed=True)
    assert drawn(budget, NOW + 1e6) == []
    budget.served()
    assert len(drawn(budget, NOW + 1e6)) == 3


def test_what_is_served_gives_nothing_back_that_is_still_out() -> None:
    """Three at once remain three at once."""
    budget = RetryBudget()
    assert len(drawn(budget)) == 3
    budget.served()
    assert drawn(budget) == []


def test_when_everything_fails_a_thousand_requests_pay_for_two_hundred_retries() -> None:
    """Each would ask three times; in all there are 0.2 for each request, and three."""
    budget, retries = RetryBudget(), 0
    for number in range(1000):
        now = NOW + number / 20
        budget.started(now)
        for _ in range(2):
            draw = budget.try_spend(now)
            if draw is not None:
                retries += 1
                budget.finished(draw, failed=True)
    assert retries == 203
