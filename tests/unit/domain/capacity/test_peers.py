from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.peers import GONE_S, Change, DeploymentNews, Peers
from tests.fakes.changed import replace


def news(peers: Peers) -> DeploymentNews:
    """What it tells now."""
    told = DeploymentNews()
    peers.tell(told)
    return told


def net(change: Change) -> float:
    return change.taken - change.returned


def test_each_hears_what_the_other_took() -> None:
    """Once, and what was given back is taken off."""
    one, other = Peers(), Peers()
    one.add(3.0)
    assert other.hear("one", news(one), 0.0) == Change(3.0, 0.0)
    assert other.hear("one", news(one), 1.0) == Change(0.0, 0.0)
    one.add(-1.0)
    assert other.hear("one", news(one), 2.0) == Change(0.0, 1.0)


def test_what_is_taken_and_given_back_between_two_messages_is_told_as_both() -> None:
    """Azure may have had it meanwhile, and have refused others; a refused request it never had."""
    one, other = Peers(), Peers()
    other.hear("one", news(one), 0.0)
    one.add(40.0)
    one.add(-39.0)
    one.add(5.0)
    one.undo(5.0)
    assert other.hear("one", news(one), 1.0) == Change(40.0, 39.0)


def test_a_message_that_was_lost_is_made_up_for_by_the_next() -> None:
    """Totals are told, not only what is new."""
    one, other = Peers(), Peers()
    other.hear("one", news(one), 0.0)
    one.add(3.0)
    news(one)
    one.add(2.0)
    assert other.hear("one", news(one), 1.0) == Change(5.0, 0.0)


def test_of_a_stranger_only_what_is_new_counts() -> None:
    """What it took before we began has long drained."""
    one, other = Peers(), Peers()
    one.add(500.0)
    news(one)
    one.add(2.0)
    assert other.has_begun("one", news(one), 0.0)
    one.add(2.0)
    assert other.hear("one", news(one), 0.0) == Change(2.0, 0.0)
    assert not other.has_begun("one", news(one), 0.0)


def test_who_begins_anew_is_told_apart() -> None:
    """By how long it has kept count; another version does not say."""
    one, other = Peers(), Peers()
    other.hear("one", news(one), 10.0)
    for age_s, has_begun in ((12.0, False), (1.5, True), (None, False)):
        told = replace(news(one), age_s=age_s)
        assert other.has_begun("one", told, 12.0) is has_begun


def test_who_was_silent_for_long_is_a_stranger_again() -> None:
    """Its name may be another process's by now, whose total begins at nothing."""
    one, other = Peers(), Peers()
    other.hear("one", news(one), 0.0)
    one.add(9.0)
    news(one)
    one.add(1.0)
    assert other.hear("one", news(one), GONE_S) == Change(1.0, 0.0)


def test_a_belief_says_what_is_in_it() -> None:
    """Whoever adopts it adds what it took since it was last heard."""
    one, other = Peers(), Peers()
    one.add(3.0)
    other.hear("one", news(one), 0.0)
    one.add(2.0)
    told = news(other)
    assert one.unheard("one", told) == 2.0
    assert one.unheard("one", replace(told, heard={})) == 0.0


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=20))
def test_whatever_is_lost_both_come_to_the_same(events: list[tuple[float, bool]]) -> None:
    """After the last message what was heard is all that was taken."""
    one, other = Peers(), Peers()
    heard = net(other.hear("one", news(one), 0.0))
    for amount, arrives in [*events, (0.0, True)]:
        one.add(amount)
        told = news(one)
        if arrives:
            heard += net(other.hear("one", told, 1.0))
    assert abs(heard - sum(amount for amount, _ in events)) < 1e-6
