"""What it costs to find out whether a PTU has room for a tenant, and to take it, by tenants."""

from __future__ import annotations

from collections import deque
from random import Random
from time import thread_time
from typing import NamedTuple

import pytest

from app.domain.capacity.capacity import Place
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.provisioned import Provisioned, PtuCapacity
from app.domain.capacity.shares import CREDIT_S, Claim, RequestClass

CAPACITY, DEMAND = PtuCapacity(10_000.0, 4.0), Demand(150, 10)
REQUEST_S = CAPACITY.seconds(DEMAND)
IN_FLIGHT, MEASURED = 20, 6000
TENANTS = (1, 10, 100, 1000)


class Cost(NamedTuple):
    """Microseconds of processor: a look that finds room and takes it, and one that does not."""

    taken: float
    without_room: float


def cost(tenants: int, demand: float) -> Cost:
    """With so many tenants that ask, in all classes, half of them with guarantees.

    `demand` is what all ask for, 1.0 being all that drains.
    """
    drawn, ptu, now = Random(7), Provisioned(CAPACITY, "one", 0.0), 0.0
    gap, under_way = REQUEST_S / demand, deque[Place]()
    loads = [Load(_claim(number, tenants), DEMAND) for number in range(tenants)]
    warm, spent, looks = int((CREDIT_S + 10) / gap), [0.0, 0.0], [0, 0]
    for number in range(warm + MEASURED):
        now, load = now + gap, drawn.choice(loads)
        began = thread_time()
        has_room = ptu.room(load, now).at <= now
        place = ptu.take(load, now) if has_room else None
        took = thread_time() - began
        if place is not None:
            under_way.append(place)
        if len(under_way) > IN_FLIGHT:
            under_way.popleft().settle(Demand(150, 8), now)
        ptu.news(now)
        if number >= warm:
            spent[has_room] += took
            looks[has_room] += 1
    without, taken = (1e6 * time / (count or 1) for time, count in zip(spent, looks, strict=True))
    return Cost(taken, without)


def _claim(number: int, tenants: int) -> Claim:
    guarantee = 0.5 / tenants if number % 2 else 0.0
    return Claim(f"tenant-{number}", guarantee, request_class=RequestClass(number % 4))


@pytest.mark.long
def test_many_tenants_cost_little_more_than_few() -> None:
    """Ten times as many: not five times the time, whether there is room or not."""
    idle = {tenants: cost(tenants, 0.5) for tenants in TENANTS}
    busy = {tenants: cost(tenants, 2.0) for tenants in TENANTS}
    for tenants in TENANTS:
        room, (taken, without) = idle[tenants].taken, busy[tenants]
        figures = f"{room:.0f} µs; at twice the capacity {taken:.0f} µs, without room {without:.0f}"
        print(f"{tenants} tenants: {figures} µs")  # noqa: T201  # shown by -rP or -s
    assert idle[1000].taken < 5 * idle[100].taken
    assert busy[1000].taken < 5 * busy[100].taken
    assert busy[1000].without_room < 5 * busy[100].without_room
