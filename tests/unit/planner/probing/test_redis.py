"""What a Redis server says of itself, against what a config wants."""

from __future__ import annotations

from typing import Any

import pytest

from app.planner.probing.finding import State
from app.planner.probing.redis import Needs, RedisFacts, judged
from tests.fakes.changed import replace

GOOD = RedisFacts("8.2.1", "master", False, "noeviction", frozenset({"search"}), 0.1, 0.001)  # noqa: FBT003  # no cluster
NEEDS = Needs("redis", cluster=False, patience_s=0.05, search=True)


def said(facts: RedisFacts, needs: Needs = NEEDS) -> list[tuple[State, str]]:
    first, *others = judged(facts, needs)
    assert (first.state, first.place) == (State.OK, needs.place)
    assert first.what == f"Redis {facts.version} answers"
    assert first.seconds == facts.round_trip_s
    return [(each.state, each.what) for each in others]


def test_that_a_good_one_is_one_line() -> None:
    """Nothing to say but that it answers; what it does not tell is not complained about."""
    assert said(GOOD) == []
    assert said(replace(GOOD, modules=None, eviction="", version="unknown")) == []


@pytest.mark.parametrize(
    ("change", "state", "what"),
    [
        ({"version": "7.2.4"}, State.WARNING, "version 7.2.4 was not tried"),
        ({"role": "slave"}, State.FAILED, "it is a slave, which takes no writes"),
        ({"cluster": True}, State.FAILED, "it is a node of a cluster; set redis.cluster: true"),
        ({"eviction": "allkeys-lru"}, State.WARNING, "allkeys-lru may evict accounts"),
        ({"modules": frozenset({"bf"})}, State.WARNING, "it has no search module"),
        ({"ahead_s": -61.0}, State.WARNING, "its clock is -61.0 s off this machine's"),
        ({"round_trip_s": 0.04}, State.WARNING, "a round trip took 40 ms; it is given up after 50"),
    ],
)
def test_each_complaint(change: dict[str, Any], state: State, what: str) -> None:
    """One at a time, and nothing else."""
    ((found, why),) = said(replace(GOOD, **change))
    assert (found, what in why) == (state, True)


def test_that_only_what_is_wanted_is_missed() -> None:
    """Evicted answers are as good as new ones; without hits by meaning nothing is searched."""
    answers = replace(NEEDS, accounts=False, search=False)
    assert said(replace(GOOD, eviction="allkeys-lru", modules=frozenset()), answers) == []


def test_that_a_cluster_is_one() -> None:
    """A config that says so, and a server that is none."""
    ((state, what),) = said(GOOD, replace(NEEDS, cluster=True))
    assert (state, what) == (State.FAILED, "it is no cluster, and redis.cluster is true")
