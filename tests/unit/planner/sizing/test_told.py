"""A plan as JSON."""

from __future__ import annotations

import json

from app.planner.sizing.plan import plan
from app.planner.sizing.told import as_json
from tests.unit.planner.sizing.test_plan import question, steady


def test_that_all_of_it_survives_json() -> None:
    """Keys are text before they are written, so that who reads it gets the same."""
    found = plan(question(0.5, 0.2), steady(42_000, days=1))
    told = as_json(found)
    assert (
        json.loads(json.dumps(told))
        == json.loads(json.dumps(told, allow_nan=False))
        == {
            **told,
            "recommendations": json.loads(json.dumps(told["recommendations"])),
        }
    )
    best = told["recommendations"][0]
    assert best["confidence"] == {"40": 1.0}
    option = next(each for each in told["options"] if each["ptus"] == best["ptus"])
    assert set(option["usd"]) == {"at 0.5", "at 0.2"}
    assert option["wait_s"] > 0
    assert len(best["timeline"]["spilled"]) == 24
