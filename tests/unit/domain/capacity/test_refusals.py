"""When a deployment that refused lets in again, after something was given back."""

from __future__ import annotations

from app.domain.capacity.refusals import Refusals, Waits

NOW = 1000.0


def refused(replica: str = "one", wait_s: float = 40.0) -> Refusals:
    refusals = Refusals(replica)
    refusals.refused(NOW + wait_s, NOW + wait_s, NOW)
    return refusals


def test_what_comes_back_ends_it_sooner() -> None:
    """Each second of it by a second; what was given back before the refusal does not count."""
    refusals = Refusals("one")
    refusals.returned(10.0, NOW)
    refusals.refused(NOW + 40, NOW + 40, NOW)
    assert refusals.sooner_s(NOW) == 0
    refusals.returned(30.0, NOW + 1)
    refusals.returned(5.0, NOW + 2)
    assert refusals.sooner_s(NOW + 2) == 35


def test_a_later_refusal_holds_though_an_earlier_one_asked_for_longer() -> None:
    """The hold that is known ends last; from there on it is counted."""
    refusals = refused(wait_s=40.0)
    refusals.returned(39.0, NOW + 1)
    refusals.refused(NOW + 7, NOW + 7, NOW + 2)
    assert NOW + 40 - refusals.sooner_s(NOW + 2) == NOW + 7
    refusals.returned(2.0, NOW + 3)
    assert NOW + 40 - refusals.sooner_s(NOW + 3) == NOW + 5


def test_what_is_over_is_forgotten() -> None:
    """It says nothing of a hold that follows from anything else."""
    refusals = refused(wait_s=5.0)
    refusals.returned(3.0, NOW + 1)
    assert refusals.sooner_s(NOW + 5) == 0
    assert refusals.own(NOW + 5) is None
    assert not refusals.returned(1.0, NOW + 6)
    refusals.refused(NOW + 10, NOW + 10, NOW + 7)
    assert refusals.sooner_s(NOW + 7) == 0


def test_replicas_tell_each_other() -> None:
    """On clocks of their own; who was refused tells again what has come back since."""
    one, other = refused("one"), Refusals("other")
    other.hear("one", told(one, NOW + 1), 501.0)
    assert other.returned(10.0, 502.0) is False  # it is the first one's to tell
    assert other.sooner_s(502.0) == 10
    assert one.returned(25.0, NOW + 3) is True
    other.hear("one", told(one, NOW + 3), 503.0)
    assert other.sooner_s(503.0) == 25


def told(refusals: Refusals, now: float) -> Waits:
    waits = refusals.own(now)
    assert waits is not None
    return waits
