from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.capacity.calibration import Learnt, Stretch, accepted, revealed

AMOUNTS = st.floats(0, 1000)


def test_what_was_taken_teaches_the_scale() -> None:
    """Ten seconds of capacity raised the level by twelve and a half, and nothing drained."""
    learnt = revealed(Learnt(), 2.5, 0.0, Stretch(taken=10, drained=0, passed=0))
    assert learnt.scale == pytest.approx(1.25, abs=0.01)
    assert learnt.pace == 1.0


def test_what_passed_teaches_the_pace() -> None:
    """Ten seconds after the last news two seconds less had drained than should have."""
    learnt = revealed(Learnt(), 2.0, 0.0, Stretch(taken=0, drained=10, passed=10))
    assert learnt.pace == pytest.approx(0.8, abs=0.01)
    assert learnt.scale == 1.0


def test_who_has_learnt_is_harder_to_teach() -> None:
    """The same error moves the scale less after ten that were none."""
    stretch = Stretch(taken=10, drained=0, passed=0)
    sure = Learnt()
    for _ in range(10):
        sure = revealed(sure, 0.0, 0.0, stretch)
    assert abs(revealed(sure, 0.5, 0.0, stretch).scale - 1) < 0.5 * abs(
        revealed(Learnt(), 0.5, 0.0, stretch).scale - 1
    )


def test_a_vague_interval_teaches_less_than_a_narrow_one() -> None:
    """Both say that the level was two higher than believed."""
    stretch = Stretch(taken=10, drained=0, passed=0)
    vague, narrow = (revealed(Learnt(), 2.0, width, stretch) for width in (5.0, 0.1))
    assert 1 < vague.scale < narrow.scale


def test_an_event_is_noise_and_hardly_calibration() -> None:
    """Forty seconds from nowhere are somebody else's request, not a scale of five."""
    sure = Learnt()
    for _ in range(20):
        sure = revealed(sure, 0.0, 0.0, Stretch(taken=10, drained=10, passed=10))
    after = revealed(sure, 40.0, 0.0, Stretch(taken=10, drained=10, passed=10))
    assert after.scale == pytest.approx(1.0, abs=0.1)
    assert after.pace == pytest.approx(1.0, abs=0.1)
    assert after.noise > 10


def test_noise_is_forgotten_when_nothing_happens_any_more() -> None:
    """Five minutes of right predictions after a burst leave a tenth of it, or less."""
    learnt = Learnt(noise=10.0)
    for _ in range(60):
        learnt = revealed(learnt, 0.0, 0.0, Stretch(taken=5, drained=5, passed=5))
    assert learnt.noise <= 1.0


def test_being_let_in_at_the_brim_is_evidence() -> None:
    """Who was let in where half of what was believed possible is too full believes less."""
    stretch = Stretch(taken=10, drained=10, passed=10)
    learnt, by = accepted(Learnt(), 0.0, stretch)
    assert by < -1
    assert learnt.scale < 1 < learnt.pace


def test_being_let_in_far_below_the_brim_says_nothing() -> None:
    """It was going to be let in whatever is wrong."""
    assert accepted(Learnt(), 50.0, Stretch(10, 10, 10)) == (Learnt(), 0.0)


def test_being_let_in_where_it_was_believed_full_moves_the_level_under_full() -> None:
    """An exact belief moves to the edge of what is possible."""
    assert accepted(Learnt(), -7.0, Stretch(0, 0, 0))[1] == -7.0


@example(0.0, 5.1911920834422666e-157, 0.0, 0.0, accepted)
@given(
    AMOUNTS, AMOUNTS, st.floats(-500, 500), st.floats(0, 5), st.sampled_from([revealed, accepted])
)
def test_whatever_is_told_what_is_learnt_stays_sane(
    taken: float, drained: float, error: float, width: float, first: object
) -> None:
    """Scale, pace, noise and variances are finite, and none is negative."""
    learnt = Learnt()
    for _ in range(5):
        stretch = Stretch(taken, drained, drained)
        if first is accepted:
            learnt, _ = accepted(learnt, error, stretch)
        learnt = revealed(learnt, error, width, stretch)
    assert 0.4 < learnt.scale < 5
    assert 0.4 < learnt.pace < 5
    assert min(learnt.ll, learnt.ss, learnt.pp, learnt.noise) >= -1e-6
    assert max(learnt) < 1e9
