from __future__ import annotations

from itertools import islice, pairwise
from statistics import mean, median

import pytest

from app.planner.scenarios import CASES, CONTENDED
from app.planner.traffic import HOUR, Arrival, arrivals, curve
from tests.fakes.changed import replace


def drawn(seed: str = "1", *, hours: float = 0.5, replicas: int = 3) -> list[Arrival]:
    return list(arrivals(CONTENDED, hours=hours, seed=seed, replicas=replicas))


def test_a_seed_gives_the_same_traffic_again_and_another_does_not() -> None:
    """A table can be made again, and is not about one lucky draw."""
    assert drawn("1") == drawn("1")
    assert drawn("1") != drawn("2")


def test_traffic_is_made_as_it_is_needed() -> None:
    """A thousand years of traffic can be begun: it is not drawn up beforehand."""
    assert len(list(islice(arrivals(CONTENDED, hours=1e7, seed="1"), 100))) == 100


def test_arrivals_are_in_order_and_within_their_hours() -> None:
    """The event loop may take them one after the other."""
    times = [arrival.at for arrival in drawn()]
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times[0] >= 0
    assert times[-1] < 0.5 * HOUR
    assert [arrival.request.id for arrival in drawn()] == list(range(len(times)))


def test_every_replica_gets_its_part() -> None:
    """Requests are spread evenly over replicas."""
    found = drawn()
    for replica in range(3):
        part = sum(arrival.replica == replica for arrival in found) / len(found)
        assert part == pytest.approx(1 / 3, abs=0.03)


def test_the_day_is_busier_than_the_night() -> None:
    """Rates follow the curve: night at both ends, the top in the middle."""
    assert curve(CONTENDED, 0.0) == pytest.approx(CONTENDED.night_rate)
    assert curve(CONTENDED, 0.5) == pytest.approx(CONTENDED.day_rate)
    times = [arrival.at for arrival in drawn(hours=2)]
    night = sum(at < 0.2 * HOUR or at > 1.8 * HOUR for at in times)
    noon = sum(0.8 * HOUR < at < 1.2 * HOUR for at in times)
    assert 2.5 < noon / night < 5
    wanted = (CONTENDED.night_rate + CONTENDED.day_rate) / 2
    assert len(times) / (2 * HOUR) == pytest.approx(wanted, rel=0.1)


def variance_over_mean(found: list[Arrival]) -> float:
    counts = [0] * 360
    for arrival in found:
        counts[int(arrival.at // 10)] += 1
    return mean((count - mean(counts)) ** 2 for count in counts) / mean(counts)


def test_traffic_is_bursty() -> None:
    """Counts of 10 s vary much more than those of independent callers would."""
    flat = replace(CONTENDED, night_rate=6.0, day_rate=6.0)
    smooth = replace(flat, burst=1.0)
    bursty, steady = (
        variance_over_mean(list(arrivals(workload, hours=1, seed="1")))
        for workload in (flat, smooth)
    )
    assert steady < 1.5
    assert bursty > 2 * steady


def test_prompts_have_a_long_tail() -> None:
    """Few prompts have most tokens."""
    prompts = sorted(arrival.request.prompt for arrival in drawn())
    assert mean(prompts) > 1.5 * median(prompts)
    assert sum(prompts[-len(prompts) // 10 :]) > 0.3 * sum(prompts)


def test_conversations_send_again_what_they_sent_before() -> None:
    """A turn's prefix is the whole prompt of the turn before, and the prompt goes on from there."""
    last: dict[int, int] = {}
    continued = 0
    for arrival in drawn():
        request = arrival.request
        assert request.prefix == last.get(request.conversation, 0)
        assert request.prompt > request.prefix
        continued += request.prefix > 0
        last[request.conversation] = request.prompt
    assert 0.4 < continued / len(drawn()) < 0.6


def test_some_requests_have_no_cap_and_no_answer_is_longer_than_its_cap() -> None:
    """Callers who cap nothing are there; those who do get no more than they allow."""
    found = drawn()
    uncapped = sum(arrival.request.cap is None for arrival in found)
    streamed = sum(arrival.request.stream for arrival in found)
    assert 0.1 < uncapped / len(found) < 0.4
    assert 0.6 < streamed / len(found) < 0.8
    for arrival in found:
        assert 1 <= arrival.output <= (arrival.request.cap or CONTENDED.answer.longest)


@pytest.mark.parametrize("name", CASES)
def test_the_first_hour_of_each_case_has_the_tenants_it_names(name: str) -> None:
    """Tenants differ in size: the first asks most."""
    workload = CASES[name].workload
    found = list(islice(arrivals(workload, hours=48, seed="1"), 2_000))
    counts = [
        sum(arrival.request.tenant == tenant for arrival in found)
        for tenant in range(workload.tenants)
    ]
    assert min(counts) > 0
    assert counts[0] > 2 * counts[-1]
