"""`spillgate usage statement`; what it prints is held to its page elsewhere."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.admin_api import FakeAdminApi, refused
from tests.fakes.command_line import Run

AMOUNTS = {"paygo": "1", "spilled": "0", "ptu_used": "0", "ptu_idle": "0", "other": "0"}
LINE = {
    "tag:team": None,
    "requests": 3,
    "spilled_tokens": 0,
    "saved": "0",
    "amounts": AMOUNTS | {"owed": "1"},
}
OWN = {
    "data": {
        "month": "2026-11",
        "time_zone": "UTC",
        "complete": False,
        "currency": "JPY",
        "per_usd": "150",
        "idle": "use",
        "by": ["tag:team"],
        "lines": [LINE],
        "total": LINE,
        "central": None,
        "ptus": None,
        "check": None,
    }
}


def test_that_what_is_given_is_asked_and_nothing_else(api: FakeAdminApi, run: Run) -> None:
    """What is left out is the gateway's to say."""
    api.answer("GET", "usage/statement", OWN)
    run("usage", "statement")
    assert api.last.query == {"by": "tenant"}
    run(
        *("usage", "statement", "--month", "2026-11", "--by", "tag:team", "--idle", "use"),
        *("--time-zone", "Asia/Tokyo", "--currency", "JPY", "--per-usd", "150", "--tenant", "a"),
    )
    assert api.last.query == {
        "month": "2026-11",
        "by": "tag:team",
        "idle": "use",
        "time_zone": "Asia/Tokyo",
        "currency": "JPY",
        "per_usd": "150",
        "tenant": "a",
    }


def test_one_tenants_own(api: FakeAdminApi, run: Run) -> None:
    """Its lines and their sum; neither PTUs nor what is central."""
    api.answer("GET", "usage/statement", OWN)
    result = run("usage", "statement")
    assert result.lines[0] == "2026-11, so far (UTC), in JPY at 150 a dollar; idle PTUs by use"
    assert [line.split()[0] for line in result.lines[2:]] == ["TAG:TEAM", "-", "total"]
    assert run("usage", "statement", "--json").json == OWN


def test_csv_is_as_the_gateway_writes_it(api: FakeAdminApi, run: Run, tmp_path: Path) -> None:
    """To a file, or to standard output."""
    api.answer("GET", "usage/statement", b"line,tenant\n")
    path = tmp_path / "november.csv"
    assert run("usage", "statement", "--format", "csv", "-o", str(path)).exit_code == 0
    assert path.read_text() == "line,tenant\n"
    assert api.last.query == {"by": "tenant", "format": "csv"}


def test_a_refusal_is_told(api: FakeAdminApi, run: Run) -> None:
    """In the gateway's words."""
    refusal = refused(400, "month: '13' is no month.", "invalid_request", "month")
    api.handle("GET", "usage/statement", lambda _: refusal)
    result = run("usage", "statement", "--month", "13")
    assert (result.exit_code, result.err) == (1, "spillgate: month: '13' is no month.\n")
