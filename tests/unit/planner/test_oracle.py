from __future__ import annotations

from app.planner.oracle import Oracle
from app.planner.strategy import PtuBelief, Site
from app.planner.traffic import Request


def test_the_oracle_does_what_the_true_bucket_says() -> None:
    """It asks the PTU exactly when it would be admitted."""
    says = iter((True, False, True))
    site: Site[float] = Site(
        0, 3, PtuBelief(100.0, 60.0, 4.0, 0.0), lambda _: None, lambda: next(says)
    )
    oracle, request = Oracle(site), Request(0, 0, 0, 100, 0, None, stream=True)
    assert [oracle.choose(request, 0.0) for _ in range(3)] == ["ptu", "paygo", "ptu"]
