"""The explain command."""

from __future__ import annotations

from typing import Any

from tests.fakes.admin_api import FakeAdminApi
from tests.fakes.command_line import Run, golden

FOUND: dict[str, Any] = {
    "request_id": "req_1",
    "at": 1_795_248_000.0,
    "tenant": "search",
    "key_id": "k1",
    "operation": "chat_completions",
    "model": "gpt-4o",
    "stream": True,
    "why": [
        "The answer arrived whole (200) after 840 ms.",
        "It spilled (throttled): it was refused by ptu.",
    ],
    "candidates": [
        {
            "deployment": "ptu",
            "tier": 0,
            "predicted_utilization": 0.97,
            "weight": 3.0,
            "expected_wait_s": 10.2,
            "is_warm": True,
            "why": "ptu was in tier 1, predicted 97 % full, and was asked",
        }
    ],
    "skipped": [
        {
            "deployment": "eu",
            "tier": 1,
            "reason": "policy",
            "wait_s": None,
            "predicted_utilization": None,
            "why": "eu was left out (the tenant's policy, or it is draining)",
        }
    ],
    "attempts": [
        {
            "deployment": "ptu",
            "tier": 0,
            "began_s": 0.001,
            "took_s": 1.5,
            "status": 429,
            "verdict": "throttled",
            "retry_after_s": 0.8,
            "actual_utilization": 1.04,
            "why": "ptu refused (429, the PTU is full, 104 % full) after 1.5 s",
        }
    ],
    "reserved": {
        "limits": [
            {"name": "tpm", "scope": "tenant", "mode": "hard", "amount": 200_000, "left": 1234},
            {
                "name": "usd_per_day",
                "scope": "tenant",
                "mode": "soft",
                "amount": 50_000_000_000,
                "left": None,
            },
        ]
    },
}


def test_a_request_is_explained_on_a_page(api: FakeAdminApi, run: Run) -> None:
    """Who asked, the sentences, then each list with its own."""
    api.answer("GET", "explain/req_1", {"data": FOUND})
    assert run("explain", "req_1").lines == golden("explain")
    assert run("explain", "req_1", "--json").json == {"data": FOUND}


def test_on_a_terminal_there_are_tables(api: FakeAdminApi, on_terminal: Run) -> None:
    """With the same sentences below."""
    api.answer("GET", "explain/req_1", {"data": FOUND})
    assert on_terminal("explain", "req_1").lines == golden("explain_terminal")


def test_a_refused_request_has_no_lists(api: FakeAdminApi, run: Run) -> None:
    """Nor headings of them."""
    nothing: dict[str, Any] = {"candidates": [], "skipped": [], "attempts": [], "reserved": None}
    api.answer("GET", "explain/req_1", {"data": FOUND | nothing})
    assert "Asked" not in run("explain", "req_1").out


def test_the_tenant_is_asked_for_where_it_is_given(api: FakeAdminApi, run: Run) -> None:
    """Where two tenants chose the same id."""
    api.answer("GET", "explain/req_1", {"data": FOUND})
    assert run("explain", "req_1", "--tenant", "search").exit_code == 0
    assert api.last.query == {"tenant": "search"}


def test_what_would_steer_a_terminal_is_shown_as_text(api: FakeAdminApi, run: Run) -> None:
    """A code from an upstream's error body ends up in sentences."""
    api.answer("GET", "explain/req_1", {"data": FOUND | {"why": ["\x1b[2J"]}})
    assert "\x1b" not in run("explain", "req_1").out
