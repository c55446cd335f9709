"""The limit commands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.admin_api import Answer, Asked, FakeAdminApi, in_force, refused
from tests.fakes.command_line import NOW, Run, golden

TEAM = "tenants/search-team"
#: Limits as they are set, and below as the admin API shows them.
RPM: dict[str, Any] = {"name": "rpm", "amount": 600, "mode": "hard"}
RPM_OF_MINI = RPM | {"amount": 90, "model": "mini", "mode": "soft"}
DOLLARS: dict[str, Any] = {"name": "usd_per_month", "amount": 3000.0, "mode": "hard"}
_NOT_SET = {"key_id": None, "model": None, "override": None, "override_until": 0, "scope": "tenant"}
SHOWN = [_NOT_SET | each for each in (RPM, RPM_OF_MINI, DOLLARS)]


@pytest.fixture
def team(api: FakeAdminApi) -> FakeAdminApi:
    """A tenant with limits; a change answers what was put, which may not be what is shown."""
    api.answer("GET", TEAM, {"data": {"name": "search-team", "limits": SHOWN, "version": 5}})
    api.answer("GET", f"{TEAM}/limits", {"data": {"limits": SHOWN}})
    api.handle("PUT", f"{TEAM}/limits", lambda asked: Answer(in_force(asked.body)))
    return api


def test_limits_are_listed_with_their_scopes(team: FakeAdminApi, run: Run) -> None:
    """Money in dollars, counts with separators."""
    assert run("limit", "list", "search-team").lines == golden("limit_list")
    assert run("limit", "list", "search-team", "--json").json == {"data": {"limits": SHOWN}}


def test_setting_changes_one_limit_and_keeps_the_others(team: FakeAdminApi, run: Run) -> None:
    """Its mode too, unless another is given; only if nobody changed the tenant meanwhile."""
    result = run("limit", "set", "search-team", "rpm", "1,200")
    assert (result.exit_code, result.err) == (0, "in force on 2 of 2 workers\n")
    assert team.last.body == {"limits": [RPM | {"amount": 1200}, RPM_OF_MINI, DOLLARS]}
    assert team.last.if_match == '"5"'
    run("limit", "set", "search-team", "rpm", "80", "--model", "mini")
    assert team.last.body["limits"][1] == RPM_OF_MINI | {"amount": 80}


def test_setting_what_is_not_there_adds_it(team: FakeAdminApi, run: Run) -> None:
    """Hard unless said otherwise, on the scope that is given."""
    run("limit", "set", "search-team", "usd_per_day", "$99.50", "--key", "Ab3", "--model", "mini")
    assert team.last.body["limits"][3:] == [
        {"name": "usd_per_day", "amount": 99.5, "mode": "hard", "key_id": "Ab3", "model": "mini"}
    ]
    run("limit", "set", "search-team", "tpm", "1", "--mode", "shadow")
    assert team.last.body["limits"][3]["mode"] == "shadow"
    asked = len(team.asked)
    assert run("limit", "set", "search-team", "tpm", "1", "--mode", "spill").exit_code == 2
    assert run("limit", "set", "search-team", "usd_per_hour", "1").exit_code == 2
    assert run("limit", "unset", "search-team", "usd_per_hour").exit_code == 2
    assert len(team.asked) == asked


def test_a_change_in_between_is_read_and_the_limit_set_anew(team: FakeAdminApi, run: Run) -> None:
    """Neither change is lost; a tenant that never rests is said to be changing."""
    refusals = 2

    def put(asked: Asked) -> Answer:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            return refused(412, "It is at version 6.", "version_conflict")
        return Answer(in_force(asked.body))

    team.handle("PUT", f"{TEAM}/limits", put)
    assert run("limit", "set", "search-team", "rpm", "1").exit_code == 0
    assert [asked.method for asked in team.asked] == ["GET", "PUT"] * 3
    refusals = 99
    result = run("limit", "set", "search-team", "rpm", "1")
    assert (result.exit_code, result.err) == (1, "spillgate: It is at version 6.\n")


def test_removing_takes_exactly_the_limit_of_that_scope(team: FakeAdminApi, run: Run) -> None:
    """The tenant's stays when a model's goes."""
    run("limit", "unset", "search-team", "rpm", "--model", "mini")
    assert team.last.body == {"limits": [RPM, DOLLARS]}


def test_all_limits_of_a_tenant_are_removed_at_once(team: FakeAdminApi, run: Run) -> None:
    """Whoever wrote what in between: none is left; nobody is there to ask without --yes."""
    assert run("limit", "unset", "search-team", "--all").exit_code == 2
    assert team.asked == []
    team.answer("DELETE", f"{TEAM}/limits", in_force({"limits": []}))
    result = run("limit", "unset", "search-team", "--all", "--yes")
    assert (result.exit_code, len(result.lines)) == (0, 1)
    assert (team.last.method, team.last.if_match) == ("DELETE", None)


@pytest.mark.parametrize("given", [[], ["rpm", "--all"], ["--all", "--model", "mini"]])
def test_removing_all_or_one_is_never_guessed(
    team: FakeAdminApi, run: Run, given: list[str]
) -> None:
    """Exit code 2, and nothing is asked."""
    assert run("limit", "unset", "search-team", *given, "--yes").exit_code == 2
    assert team.asked == []


def test_removing_what_is_not_there_is_said(team: FakeAdminApi, run: Run) -> None:
    """Nothing is written."""
    result = run("limit", "unset", "search-team", "rpm", "--model", "maxi", "--key", "Ab3")
    assert result.exit_code == 1
    assert result.err == (
        "spillgate: search-team has no limit rpm for key Ab3 for model maxi: "
        "see `spillgate limit list search-team`\n"
    )
    assert team.last.method == "GET"


def test_an_override_replaces_the_amount_for_a_while(team: FakeAdminApi, run: Run) -> None:
    """And can be ended before its time."""
    result = run("limit", "override", "search-team", "usd_per_month", "5000", "--until", "2h")
    assert team.last.body["limits"][2] == DOLLARS | {
        "override": 5000,
        "override_until": NOW + 7200,
    }
    assert result.lines[3].endswith("$5,000.00  2026-11-21 11:00:00 CET")
    run("limit", "override", "search-team", "usd_per_month", "--end")
    assert team.last.body["limits"][2] == DOLLARS


@pytest.mark.parametrize(
    "given",
    [["5"], ["--until", "2h"], ["5", "--until", "2h", "--end"], [], ["5", "--until", "soon"]],
)
def test_an_override_without_its_end_is_a_usage_mistake(
    team: FakeAdminApi, run: Run, given: list[str]
) -> None:
    """One that was forgotten would hold for ever."""
    assert run("limit", "override", "search-team", "rpm", *given).exit_code == 2
    assert team.asked == []


@pytest.mark.parametrize("amount", ["-1", "many", "nan", "inf", ""])
def test_an_amount_that_is_none_is_a_usage_mistake(
    team: FakeAdminApi, run: Run, amount: str
) -> None:
    """Exit code 2, and nothing is asked."""
    assert run("limit", "set", "search-team", "rpm", "--", amount).exit_code == 2
    assert run("limit", "set", "search-team", "rpx", "1").exit_code == 2
    assert team.asked == []


def test_a_simulation_sends_the_limit_and_the_period(team: FakeAdminApi, run: Run) -> None:
    """And says how often it would have been passed, and what it would have had to hold."""
    simulation = {
        "requests": 1000,
        "refused": 25,
        "first_refused_at": NOW - 3600,
        "by_limit": [
            {"limit": SHOWN[0], "over": 25, "first_at": NOW - 3600, "peak": 640},
            {"limit": SHOWN[2], "over": 0, "first_at": None, "peak": 2_345_678_900_000},
        ],
    }
    team.answer("POST", "limits/simulate", {"data": simulation})
    result = run("limit", "simulate", "search-team", "rpm", "60", "--since", "1d", "--key", "Ab3")
    assert team.last.body == {
        "tenant": "search-team",
        "limits": [{"name": "rpm", "amount": 60, "key_id": "Ab3"}],
        "since": NOW - 86400,
    }
    assert result.lines == golden("limit_simulate")
    as_json = run("limit", "simulate", "search-team", "rpm", "60", "--json")
    assert as_json.json == {"data": simulation}
