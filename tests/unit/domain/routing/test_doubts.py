"""Failures that may be the request's own: for whom they count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.routing.doubts import MOST_KEPT, Doubts
from app.domain.routing.health import HealthPolicy

NOW = 1000.0


def silent(doubts: Doubts, *tenants: str, now: float = NOW) -> list[bool]:
    return [doubts.was_silent("a", each, now, started=now, jitter=0.0) for each in tenants]


def answered(doubts: Doubts, tenant: str, now: float = NOW) -> None:
    doubts.answered("a", (tenant,), now, started=now)


def test_five_silences_in_a_row_move_their_tenant_alone() -> None:
    """None of them counts for the deployment, however many there are."""
    doubts = Doubts()
    assert silent(doubts, *["slow"] * 4) == [False] * 4
    assert doubts.may_ask("a", ("slow",), NOW)
    assert silent(doubts, *["slow"] * 100) == [False] * 100
    assert not doubts.may_ask("a", ("slow",), NOW + 29)
    assert doubts.may_ask("b", ("slow",), NOW)
    assert doubts.may_ask("a", ("quick",), NOW)


def test_it_is_tried_again_by_one_request_at_a_time() -> None:
    """An answer to it brings the tenant back."""
    doubts = Doubts()
    silent(doubts, *["slow"] * 5)
    now = NOW + 30
    assert doubts.may_ask("a", ("slow",), now)
    with doubts.probing("a", ("slow",), now):
        assert not doubts.may_ask("a", ("slow",), now)
    answered(doubts, "slow", now)
    assert doubts.may_ask("a", ("slow",), now)


def test_who_is_silent_to_two_tenants_is_doubted_as_a_whole() -> None:
    """From the second on, until anybody gets an answer."""
    doubts = Doubts()
    assert silent(doubts, "one", "one", "two", "one", "three") == [False, False, True, True, True]
    answered(doubts, "four")
    assert silent(doubts, "one", "one", "two") == [False, False, True]


def test_answers_that_fall_silent_midway_are_counted_by_themselves() -> None:
    """Each of them began, which is an answer; a whole one ends the row."""
    doubts = Doubts()

    def stalls(tenant: str) -> bool:
        answered(doubts, tenant)
        return doubts.stalled("a", tenant, NOW, started=NOW, jitter=0.0)

    assert [stalls("one") for _ in range(5)] == [False] * 5
    assert not doubts.may_ask("a", ("one",), NOW)
    assert stalls("two")
    doubts.completed("a", ("two",))
    assert not stalls("two")


def test_what_is_refused_of_a_scope_is_never_the_whole_deployments() -> None:
    """However many scopes there are; five in a row, and an answer ends the row."""
    doubts = Doubts()
    for scope in ("chat", "responses"):
        for _ in range(4):
            doubts.refused("a", scope, NOW, started=NOW, jitter=0.0)
    answered(doubts, "chat")
    for scope in ("chat", "responses"):
        doubts.refused("a", scope, NOW, started=NOW, jitter=0.0)
    assert doubts.may_ask("a", ("chat",), NOW)
    assert not doubts.may_ask("a", ("responses",), NOW)
    assert not doubts.may_ask("a", ("chat", "responses"), NOW)


def test_the_policy_is_healths() -> None:
    """How many, and for how long."""
    doubts = Doubts()
    doubts.policy = HealthPolicy(failures_in_a_row=2, ejection_s=1.0)
    assert doubts.policy.failures_in_a_row == 2
    silent(doubts, "one", "one")
    assert not doubts.may_ask("a", ("one",), NOW + 0.9)
    assert doubts.may_ask("a", ("one",), NOW + 1)


@given(st.lists(st.tuples(st.sampled_from(["silent", "answered"]), st.floats(0, 60)), max_size=99))
def test_one_tenant_alone_is_never_word_enough(story: list[tuple[str, float]]) -> None:
    """Whatever its requests come to, the deployment stays in for all others."""
    doubts, now = Doubts(), NOW
    for what, passed in story:
        now += passed
        if what == "silent":
            assert silent(doubts, "one", now=now) == [False]
        else:
            answered(doubts, "one", now)
        assert doubts.may_ask("a", ("other",), now)


def test_what_is_known_of_scopes_is_bounded() -> None:
    """However many tenants meet silence: the one that met it longest ago is thought well of."""
    doubts = Doubts(HealthPolicy(failures_in_a_row=1))
    tenants = [str(number) for number in range(MOST_KEPT)]
    silent(doubts, *tenants)
    silent(doubts, tenants[0])  # again: now it is the latest
    silent(doubts, "one more")
    kept = [each for each in tenants if not doubts.may_ask("a", (each,), NOW)]
    assert kept == [tenants[0], *tenants[2:]]
    assert not doubts.may_ask("a", ("one more",), NOW)
