"""What of another replica's news cannot be true."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.calibration import Learnt
from app.domain.capacity.capacity import CapacityTold
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.provisioned import Provisioned, PtuCapacity
from app.domain.capacity.refusals import Waits
from app.domain.capacity.shadow_bucket import Belief
from app.domain.capacity.shares import Claim
from app.domain.capacity.soundness import unsound
from tests.fakes.changed import replace
from tests.properties.test_retry_after import Lived, Step, histories

SOUND = DeploymentNews(
    total=7.0,
    fresh=-2.0,
    calls=3,
    taken={"acme": -2.0},
    asked=[Claim("acme", 0.4, 2.0)],
    belief=Belief(61.0, Learnt()),
    heard={"two": 5.0},
    returned=3.0,
    waits=Waits(4.0, -3.0),
    age_s=60.0,
)


def test_what_can_be_is_sound() -> None:
    """As is nothing at all."""
    assert unsound(SOUND) is None
    assert unsound(DeploymentNews()) is None


@given(histories)
def test_what_a_replica_tells_is_sound(history: list[Step]) -> None:
    """Whatever it has lived through."""
    lived = Lived(history)
    news = lived.ptu.news(lived.now)
    assert news is None or unsound(news) is None


@pytest.mark.parametrize(
    "belief",
    [
        Belief(inf, Learnt()),
        Belief(1e15, Learnt()),
        Belief(-1.0, Learnt()),
        Belief(nan, Learnt()),
        *(Belief(1.0, Learnt(pace=value)) for value in (0.0, -1.0, 1e9, nan)),
        *(Belief(1.0, Learnt(scale=value)) for value in (0.0, inf)),
        *(Belief(1.0, Learnt(noise=value)) for value in (-1.0, inf, nan)),
        Belief(1.0, Learnt(ss=-1.0)),
        Belief(1.0, Learnt(sp=nan)),
    ],
    ids=str,
)
def test_a_belief_that_cannot_be(belief: Belief) -> None:
    """Each of these would be every request's error, or keep all of them out."""
    assert unsound(replace(SOUND, belief=belief)) == "belief"


@pytest.mark.parametrize("value", [inf, -inf, nan, 1e300])
def test_an_amount_that_cannot_be(value: float) -> None:
    """Neither of all time, nor since the last message."""
    assert unsound(replace(SOUND, total=value)) == "totals"
    assert unsound(replace(SOUND, returned=value)) == "totals"
    assert unsound(replace(SOUND, heard={"two": value})) == "totals"
    assert unsound(replace(SOUND, fresh=value)) == "amounts"
    assert unsound(replace(SOUND, taken={"acme": value})) == "amounts"
    assert unsound(replace(SOUND, returned=-1.0)) == "totals"
    assert unsound(replace(SOUND, calls=-1)) == "amounts"
    assert unsound(replace(SOUND, age_s=value)) == "age"


@pytest.mark.parametrize(
    "claim",
    [
        Claim("a", 1.1),
        Claim("a", -1.0),
        Claim("a", nan),
        Claim("a", weight=0.0),
        Claim("a", weight=nan),
        Claim("a", weight=1e300),
    ],
    ids=str,
)
def test_a_claim_that_cannot_be(claim: Claim) -> None:
    """It would take the others' parts."""
    assert unsound(replace(SOUND, asked=[claim])) == "claims"


@pytest.mark.parametrize("waits", [(inf, 1.0), (1.0, 2.0), (nan, nan), (1.0, -inf)])
def test_waits_that_cannot_be(waits: tuple[float, float]) -> None:
    """No hold is to end later for what was given back."""
    assert unsound(replace(SOUND, waits=Waits(*waits))) == "waits"


@given(
    st.floats(0, 1e6),
    st.floats(0.45, 4),
    st.floats(0.45, 4),
    st.floats(0, 1e12),
    st.floats(-1e12, 1e12),
)
def test_what_is_sound_can_be_lived_with(
    level: float, scale: float, pace: float, variance: float, other: float
) -> None:
    """There is a time at which there is room, and it is not for ever."""
    learnt = Learnt(scale, pace, variance, other, other, variance, other, variance, variance)
    ptu, load = Provisioned(PtuCapacity(100.0, 4.0), "one", 0.0), Load(Claim("a"), Demand(10, 1))
    news = replace(SOUND, belief=Belief(level, learnt))
    assert unsound(news) is None
    ptu.hear("two", news, 0.0)
    room = ptu.room(load, 0.0)
    assert 0 <= room.at < inf
    place = ptu.take(load, room.at)
    place.accepted(CapacityTold(0.3), room.at + 1)
    place.settle(Demand(10, 0), room.at + 2)
    ptu.take(load, room.at + 3).accepted(CapacityTold(), room.at + 4)
    assert 0 <= ptu.utilization(room.at + 4) < inf
    assert room.at + 5 <= ptu.room(load, room.at + 5).at < inf
