from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from loadtest.zipf import Zipf


def test_ranks_come_as_often_as_their_share() -> None:
    """The first of a hundred about twice as often as the second."""
    zipf, draws = Zipf(100, exponent=1.0), 40_000
    rng = Random(3)
    counted = Counter(zipf.draw(rng) for _ in range(draws))
    for rank in (0, 1, 9):
        assert counted[rank] / draws == pytest.approx(zipf.share(rank), rel=0.1)
    assert zipf.share(0) == pytest.approx(2 * zipf.share(1))
    assert set(counted) <= set(range(100))


def test_shares_are_all_there_is() -> None:
    """Of one rank, too; of none there is nothing to draw."""
    assert sum(Zipf(50).share(rank) for rank in range(50)) == pytest.approx(1)
    assert Zipf(1).draw(Random(1)) == 0
    with pytest.raises(ValueError, match="one rank"):
        Zipf(0)
