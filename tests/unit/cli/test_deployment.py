"""The deployment commands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.admin_api import FakeAdminApi, in_force
from tests.fakes.command_line import Run, golden

PTU: dict[str, Any] = {
    "name": "ptu-east",
    "kind": "ptu",
    "model": "gpt-4o",
    "region": "eastus",
    "data_zone": "us",
    "capacity": {"ptus": 50, "tpm": None, "rpm": None},
    "state": "enabled",
    "lowered_tpm": None,
    "utilization": 1.006,
    "held_for_ms": 2340,
    "held_until": 1_795_248_002.34,
    "health": {"status": "ejected", "until": 1_795_248_030.0, "weight_factor": 0.0},
    "shares": {"search": 0.6, "reports": 0.4},
    "serves": [
        {"model": "gpt-4o", "tier": 0, "weight": 3.0, "configured_weight": 1.0},
        {"model": "chat", "tier": 1, "weight": 0.5, "configured_weight": 0.5},
    ],
    "version": 2,
}
PAYGO: dict[str, Any] = PTU | {
    "name": "paygo-sweden",
    "kind": "paygo",
    "region": "",
    "capacity": {"ptus": None, "tpm": 450_000, "rpm": 2700},
    "state": "draining",
    "lowered_tpm": 200_000,
    "utilization": None,
    "held_for_ms": 0,
    "held_until": None,
    "health": {"status": "healthy", "until": None, "weight_factor": 1.0},
    "shares": {},
}


def test_a_list_has_the_live_state(api: FakeAdminApi, run: Run) -> None:
    """How full, for how long held, how well."""
    api.answer("GET", "deployments", {"data": [PTU, PAYGO]})
    assert run("deployment", "list").lines == golden("deployment_list")


def test_one_is_shown_with_its_places_and_shares(api: FakeAdminApi, run: Run) -> None:
    """And as the API's JSON."""
    api.answer("GET", "deployments/ptu-east", {"data": PTU})
    assert run("deployment", "show", "ptu-east").lines == golden("deployment_show")
    assert run("deployment", "show", "ptu-east", "--json").json == {"data": PTU}


@pytest.mark.parametrize(("command", "state"), [("drain", "draining"), ("enable", "enabled")])
def test_draining_and_enabling(api: FakeAdminApi, run: Run, command: str, state: str) -> None:
    """It is said on how many workers it is in force."""
    api.answer("PATCH", "deployments/ptu-east", in_force(PTU | {"state": state}))
    result = run("deployment", command, "ptu-east")
    assert api.last.body == {"state": state}
    assert state in result.out
    assert result.err == "in force on 2 of 2 workers\n"


def test_a_weight_of_every_model_or_of_one(api: FakeAdminApi, run: Run) -> None:
    """`config` takes the operators' word back."""
    api.answer("GET", "deployments/ptu-east", {"data": PTU})
    api.answer("PATCH", "deployments/ptu-east", in_force(PTU))
    assert run("deployment", "weight", "ptu-east", "3").exit_code == 0
    assert api.last.body == {"weights": {"gpt-4o": 3.0, "chat": 3.0}}
    run("deployment", "weight", "ptu-east", "0.5", "--model", "chat")
    assert api.last.body == {"weights": {"chat": 0.5}}
    run("deployment", "weight", "ptu-east", "config")
    assert api.last.body == {"weights": {"gpt-4o": None, "chat": None}}


@pytest.mark.parametrize("weight", ["0", "many", "nan", "inf"])
def test_what_is_no_weight_is_not_sent(api: FakeAdminApi, run: Run, weight: str) -> None:
    """A usage mistake."""
    result = run("deployment", "weight", "ptu-east", weight)
    assert (result.exit_code, api.asked) == (2, [])
    assert "neither a weight" in result.err
