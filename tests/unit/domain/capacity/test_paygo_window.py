"""A pay-as-you-go deployment's counters, as known from outside."""

from __future__ import annotations

from app.domain.capacity.capacity import CapacityTold, WindowTold
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.paygo_window import Lowered, Paygo, PaygoCapacity
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.shares import Claim
from app.domain.capacity.spill import SpillReason

NOW = 1000.0


def load(tokens: int = 600) -> Load:
    return Load(Claim("acme"), Demand(tokens - 100, 100, cached=400))


def test_a_minutes_tokens_are_used_up() -> None:
    """The prompt and the cap count, cached or not; the counter begins anew after a minute."""
    paygo = Paygo(PaygoCapacity(tpm=1000))
    assert paygo.room(load(), NOW).at == NOW
    paygo.take(load(), NOW)
    assert paygo.utilization(NOW) == 0.6
    paygo.take(load(), NOW + 1)
    room = paygo.room(load(), NOW + 2)
    assert (room.at, room.reason, room.firm) == (NOW + 60, SpillReason.PREDICTED, False)
    assert paygo.room(load(), NOW + 60).at == NOW + 60
    assert paygo.utilization(NOW + 60) == 0.0


def test_calls_are_counted_in_ten_seconds() -> None:
    """60 a minute are 10 in 10 seconds."""
    paygo = Paygo(PaygoCapacity(rpm=60))
    for _ in range(10):
        assert paygo.room(load(), NOW).at == NOW
        paygo.take(load(), NOW)
    assert paygo.room(load(), NOW).at == NOW + 10


def test_without_limits_there_is_always_room() -> None:
    """What nobody configured is not guessed."""
    paygo = Paygo(PaygoCapacity())
    for _ in range(1000):
        paygo.take(load(), NOW)
    assert paygo.room(load(), NOW).at == NOW
    assert paygo.utilization(NOW) == 0.0


def test_what_azure_says_corrects_the_counter() -> None:
    """Other gateways may use the same deployment; a wrong number of left ones frees nothing."""
    paygo = Paygo(PaygoCapacity(tpm=1000))
    place = paygo.take(load(), NOW)
    place.accepted(CapacityTold(windows={"tokens": WindowTold(1000, 0, 12.0)}), NOW)
    assert paygo.room(load(), NOW).at == NOW + 12
    place.accepted(CapacityTold(windows={"tokens": WindowTold(1000, 900, None)}), NOW)
    assert paygo.room(load(), NOW).at == NOW + 12


def test_a_lowered_limit_is_noticed() -> None:
    """Azure does so on busy days, without a word; an hour without it is long enough."""
    paygo = Paygo(PaygoCapacity(tpm=1000))
    place = paygo.take(load(), NOW)
    assert paygo.lowered(NOW) is None
    place.refused(CapacityTold(windows={"tokens": WindowTold(500, 0, 30.0)}), None, NOW)
    assert paygo.lowered(NOW) == Lowered(tpm=500, configured_tpm=1000)
    assert paygo.room(load(), NOW).at == NOW + 30
    assert paygo.lowered(NOW + 3600) is None
    place.accepted(CapacityTold(windows={"tokens": WindowTold(1000, 0, 30.0)}), NOW)
    assert paygo.lowered(NOW) is None


def test_replicas_count_together() -> None:
    """Totals make up for a message that was lost."""
    one, other = Paygo(PaygoCapacity(tpm=1000)), Paygo(PaygoCapacity(tpm=1000))
    one.take(load(), NOW)
    lost = one.news(NOW)
    assert isinstance(lost, DeploymentNews)
    assert one.news(NOW) is None
    one.take(load(100), NOW)
    news = one.news(NOW)
    assert news is not None
    other.hear("one", lost, NOW)
    other.hear("one", news, NOW)
    assert other.utilization(NOW) == 0.7
    one.take(load(100), NOW)
    one.news(NOW)
    one.take(load(100), NOW)
    news = one.news(NOW)
    assert news is not None
    other.hear("one", news, NOW)
    assert other.utilization(NOW) == 0.9


def test_a_settled_request_changes_nothing() -> None:
    """Azure corrects no estimate here."""
    paygo = Paygo(PaygoCapacity(tpm=1000))
    paygo.take(load(), NOW).settle(Demand(10, 10), NOW)
    assert paygo.utilization(NOW) == 0.6
