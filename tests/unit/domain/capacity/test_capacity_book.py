"""All deployments' capacity, as one replica knows it."""

from __future__ import annotations

import pytest

from app.domain.capacity.capacity import CapacityTold, WindowTold
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.paygo_window import Lowered, PaygoCapacity
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.shares import Claim
from app.domain.capacity.spill import SpillReason

NOW = 1000.0
OTHER_PTU = PtuCapacity(200.0, 4.0)
PTU, PAYGO = PtuCapacity(100.0, 4.0), PaygoCapacity(tpm=1000)
LARGE = Load(Claim("acme"), Demand(9000, 0))  # a minute and a half of the PTU


def begun(name: str = "one", **configured: PtuCapacity | PaygoCapacity) -> CapacityBook:
    book = CapacityBook(name)
    book.follow(configured or {"ptu": PTU, "paygo": PAYGO}, NOW)
    return book


def test_each_kind_of_deployment_has_its_own_rules() -> None:
    """A PTU is full for half a minute then, a counter until it begins anew."""
    book = begun()
    assert book.take("ptu", LARGE, NOW) is not None
    assert book.take("paygo", LARGE, NOW) is not None
    rooms = book.rooms(("ptu", "paygo"), LARGE, NOW)
    assert 30 <= rooms["ptu"].at - NOW < 31
    assert rooms["paygo"].at - NOW == 60
    assert {room.reason for room in rooms.values()} == {SpillReason.PREDICTED}
    assert book.utilizations(NOW) == {"ptu": 1.5, "paygo": 9.0}


def test_of_an_unknown_deployment_nothing_is_said() -> None:
    """It is taken to have room."""
    book = begun()
    assert book.rooms(("nobody",), LARGE, NOW) == {}
    assert book.take("nobody", LARGE, NOW) is None
    assert book.parts("nobody", NOW) == book.parts("paygo", NOW) == {}


def test_a_reload_keeps_what_is_known_of_those_that_stay() -> None:
    """One that changed begins anew, one that left is forgotten."""
    book = begun()
    book.take("ptu", LARGE, NOW)
    book.take("paygo", LARGE, NOW)
    book.follow({"ptu": PTU, "paygo": PaygoCapacity(tpm=2000)}, NOW)
    assert book.utilizations(NOW) == {"ptu": 1.5, "paygo": 0.0}
    book.follow({"paygo": PaygoCapacity(tpm=2000)}, NOW)
    assert "ptu" not in book.utilizations(NOW)


def test_replicas_tell_each_other() -> None:
    """News of deployments that are not ours are not our business; nothing is told twice."""
    one, other = begun("one", ptu=PTU, theirs=PAYGO), begun("other", ptu=PTU)
    one.take("ptu", LARGE, NOW)
    one.take("theirs", LARGE, NOW)
    other.hear("one", one.news(NOW), NOW)
    assert other.utilizations(NOW) == {"ptu": 1.5}
    assert one.news(NOW) == {}


@pytest.mark.parametrize("between", [{}, {"ptu": OTHER_PTU}], ids=["gone for a while", "changed"])
def test_who_reloads_earlier_gives_nothing_back(
    between: dict[str, PtuCapacity | PaygoCapacity],
) -> None:
    """Others hear what it takes from then on; what it had taken is still there."""
    one, other = begun("one"), begun("other")
    for _ in range(3):
        for book in (one, other):
            book.take("ptu", LARGE, NOW)
            book.take("paygo", LARGE, NOW)
        other.hear("one", one.news(NOW), NOW)
        one.hear("other", other.news(NOW), NOW)
    used = other.utilizations(NOW)
    one.follow(between, NOW)
    one.follow({"ptu": OTHER_PTU, "paygo": PaygoCapacity(tpm=2000)}, NOW)
    small = Load(Claim("acme"), Demand(60, 0))
    one.take("ptu", small, NOW)
    one.take("paygo", small, NOW)
    other.hear("one", one.news(NOW), NOW)
    now = other.utilizations(NOW)
    assert now["ptu"] == pytest.approx(used["ptu"] + 0.3 / 60)
    assert now["paygo"] == pytest.approx(used["paygo"] + 0.06)
    one.hear("other", other.news(NOW), NOW)
    other.take("ptu", small, NOW)
    one.hear("other", other.news(NOW), NOW)
    assert one.utilizations(NOW)["ptu"] == pytest.approx((0.3 + 0.6) / 60)


def test_whoever_tells_the_others_is_told_of_what_is_taken() -> None:
    """Nothing of what nobody keeps count of."""
    book, told = begun(), list[None]()
    book.on_take = lambda: told.append(None)
    book.take("nobody", LARGE, NOW)
    assert not told
    book.take("ptu", LARGE, NOW)
    book.take("paygo", LARGE, NOW)
    assert len(told) == 2


def test_tenants_that_ask_have_their_parts() -> None:
    """As the admin API shows them; none a minute after the last request."""
    book = begun()
    book.rooms(("ptu",), LARGE, NOW)
    assert book.parts("ptu", NOW) == {"acme": 1.0}
    assert book.parts("ptu", NOW + 60) == {}


def test_lowered_limits_are_told() -> None:
    """Of those that Azure lowered alone."""
    book = begun(paygo=PaygoCapacity(tpm=1000), other=PaygoCapacity(tpm=1000), ptu=PTU)
    place = book.take("paygo", LARGE, NOW)
    assert place is not None
    assert book.lowered(NOW) == {}
    place.accepted(CapacityTold(windows={"tokens": WindowTold(limit=400)}), NOW)
    assert book.lowered(NOW) == {"paygo": Lowered(tpm=400, configured_tpm=1000)}


def test_the_largest_part_of_a_bucket_changes_with_a_reload() -> None:
    """What is known of a deployment stays; the bound is the new one's."""
    book, other = begun(), Load(Claim("other"), Demand(10, 0))
    book.rooms(("ptu",), other, NOW)
    for largest, reason in ((0.5, SpillReason.SIZE), (None, SpillReason.NONE)):
        book.follow({"ptu": PTU, "paygo": PAYGO}, NOW, largest_ptu_fraction=largest)
        rooms = book.rooms(("ptu", "paygo"), LARGE, NOW)
        assert [rooms[name].reason for name in rooms] == [reason, SpillReason.NONE]
