"""Who wants traffic."""

from __future__ import annotations

from app.api.readiness import LIVE_PATH, READY_PATH, Readiness


def test_a_process_is_ready_until_it_drains() -> None:
    """And alive all the time."""
    readiness = Readiness()
    assert readiness.status(READY_PATH) == (200, {"status": "ready"})
    readiness.draining = True
    assert readiness.status(READY_PATH) == (503, {"status": "draining"})
    assert readiness.status(LIVE_PATH) == (200, {"status": "ok"})


def test_one_that_others_serve_for_is_ready_while_any_of_them_is() -> None:
    """And alive without them: they are started again."""
    serving = [0]
    readiness = Readiness(serving=lambda: serving[0])
    assert readiness.status(READY_PATH) == (503, {"status": "no worker serves"})
    assert readiness.status(LIVE_PATH) == (200, {"status": "ok"})
    serving[0] = 1
    assert readiness.status(READY_PATH) == (200, {"status": "ready"})
