"""The tenant commands."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.admin_api import Answer, Asked, FakeAdminApi, in_force, refused
from tests.fakes.command_line import Run, golden

APP = "0b07f429-9f4b-4714-9392-cc5e8e80c8b0"
GROUP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
SEARCH: dict[str, Any] = {
    "name": "search-team",
    "models": ["gpt-4o", "embed"],
    "limits": [
        {
            "name": "usd_per_day",
            "amount": 200.0,
            "mode": "hard",
            "key_id": None,
            "model": None,
            "override": 350.0,
            "override_until": 1_795_284_000.0,
        }
    ],
    "time_zone": "Europe/Berlin",
    "redis_loss": "local_share",
    "tags": {"cost-centre": "4711"},
    "class": "interactive",
    "ptu_share": 0.4,
    "ptu_weight": 1.0,
    "spill": {"usd_per_day": 50.0},
    "data_zones": ["eu", "us"],
    "regions": None,
    "entra": {"applications": [APP], "objects": [], "groups": [GROUP]},
    "cache": {"exact": {"enabled": True, "ttl": 600.0}, "semantic": {}},
    "policy": {},
    "disabled": False,
    "version": 3,
}
REPORTS: dict[str, Any] = SEARCH | {
    "name": "reports",
    "models": None,
    "limits": [],
    "time_zone": "UTC",
    "tags": {},
    "spill": "deny",
    "data_zones": None,
    "entra": {"applications": [], "objects": [], "groups": []},
    "cache": {},
    "disabled": True,
    "version": 12,
}


def _two_pages(asked: Asked) -> Answer:
    if "cursor" in asked.query:
        return Answer({"data": [REPORTS], "next": None})
    return Answer({"data": [SEARCH], "next": "c2"})


def test_a_list_in_a_pipe_is_aligned_text(api: FakeAdminApi, run: Run) -> None:
    """All pages in one table, nothing else on standard output."""
    api.handle("GET", "tenants", _two_pages)
    result = run("tenant", "list")
    assert (result.exit_code, result.err) == (0, "")
    assert result.lines == golden("tenant_list")
    assert [asked.query for asked in api.asked] == [{}, {"cursor": "c2"}]


def test_a_list_on_a_terminal_is_a_table(api: FakeAdminApi, on_terminal: Run) -> None:
    """With a rule below the headings."""
    api.handle("GET", "tenants", _two_pages)
    assert on_terminal("tenant", "list").lines == golden("tenant_list_terminal")


def test_a_list_as_json_is_the_apis_own_in_one_page(api: FakeAdminApi, run: Run) -> None:
    """Unchanged entries, no cursor left to follow."""
    api.handle("GET", "tenants", _two_pages)
    assert run("tenant", "list", "--json").json == {"data": [SEARCH, REPORTS], "next": None}


def test_spill_budgets_are_shown_as_money_over_time(api: FakeAdminApi, run: Run) -> None:
    """One, or both."""
    spill = {"usd_per_hour": 5.0, "usd_per_day": 50.0}
    api.answer("GET", "tenants/search-team", {"data": SEARCH | {"spill": spill}})
    assert "$5.00 an hour and $50.00 a day" in run("tenant", "show", "search-team").lines[4]


def test_an_empty_list_has_headings_and_is_json(api: FakeAdminApi, run: Run) -> None:
    """So that nothing is not taken for a failure."""
    api.answer("GET", "tenants", {"data": [], "next": None})
    assert run("tenant", "list").lines[0].startswith("TENANT  STATE")
    assert run("tenant", "list", "--json").json == {"data": [], "next": None}


def test_a_tenant_is_shown_with_all_that_is_kept(api: FakeAdminApi, run: Run) -> None:
    """Dollars as dollars, times in the local zone; whose tokens are its own, an id a line."""
    api.answer("GET", "tenants/search-team", {"data": SEARCH})
    assert run("tenant", "show", "search-team").lines[2:] == [
        "",
        "CLASS        PTU SHARE  PTU WEIGHT  SPILL         DATA ZONES  REGIONS",
        "interactive        0.4           1  $50.00 a day  eu, us      any",
        "",
        "ENTRA ID      ID",
        f"applications  {APP}",
        f"groups        {GROUP}",
        "",
        "CACHE  STATE     TTL  OTHERWISE",
        "exact  on     10 min  -",
        "",
        "LIMIT         AMOUNT  MODE  KEY  MODEL  OVERRIDE  UNTIL",
        "usd_per_day  $200.00  hard  all  all     $350.00  2026-11-21 19:00:00 CET",
    ]
    assert run("tenant", "show", "search-team", "--json").json == {"data": SEARCH}
    api.answer("GET", "tenants/reports", {"data": REPORTS})
    lines = run("tenant", "show", "reports").lines
    assert (len(lines), lines[-1].split()[3:]) == (5, ["deny", "any", "any"])


ROUTING = {
    "class": "critical",
    "ptu_share": 0.4,
    "ptu_weight": 2.0,
    "spill": "deny",
    "data_zones": ["us", "eu"],
    "regions": ["eastus"],
}
ROUTING_OPTIONS = (
    *("--class", "critical", "--ptu-share", "0.4", "--ptu-weight", "2", "--spill", "deny"),
    *("--data-zones", "us,eu", "--regions", "eastus"),
)


def test_where_requests_may_go_is_sent_as_it_is_given(api: FakeAdminApi, run: Run) -> None:
    """Made or changed; what is not given is not sent, and a bond is loosened by a word."""
    api.answer("POST", "tenants", in_force(SEARCH), 201)
    api.answer("PATCH", "tenants/search-team", in_force(SEARCH))
    assert run("tenant", "create", "a", *ROUTING_OPTIONS).exit_code == 0
    assert api.last.body == {"name": "a", **ROUTING}
    result = run("tenant", "update", "search-team", *ROUTING_OPTIONS)
    assert api.last.body == ROUTING
    assert result.lines[4].startswith("interactive")
    run("tenant", "update", "search-team", "--any-data-zone", "--any-region", "--spill", "allow")
    assert api.last.body == {"data_zones": None, "regions": None, "spill": "allow"}
    run("tenant", "update", "search-team", "--spill", "usd_per_day=99.5")
    assert api.last.body == {"spill": {"usd_per_day": 99.5}}
    assert api.last.if_match is None


def test_entra_ids_are_added_and_removed_beside_those_there_are(
    api: FakeAdminApi, run: Run
) -> None:
    """On the version that was read; an id is the same in either case, and can change its kind."""
    api.answer("POST", "tenants", in_force(SEARCH), 201)
    run("tenant", "create", "a", "--entra-application", APP, "--entra-object", GROUP)
    assert api.last.body == {"name": "a", "entra": {"applications": [APP], "objects": [GROUP]}}
    api.answer("GET", "tenants/search-team", {"data": SEARCH})
    api.answer("PATCH", "tenants/search-team", in_force(SEARCH))
    other = "11111111-2222-4333-8444-555555555555"
    update = ("tenant", "update", "search-team")
    run(*update, "--entra-object", other, "--entra-application", APP.upper())
    kept = {"applications": [APP], "objects": [other], "groups": [GROUP]}
    assert (api.last.body, api.last.if_match) == ({"entra": kept}, '"3"')
    run(*update, "--remove-entra", GROUP.upper(), "--remove-entra", APP, "--entra-object", APP)
    assert api.last.body == {"entra": {"applications": [], "objects": [APP], "groups": []}}


def test_what_is_said_of_caches_is_added_to_what_there_is(api: FakeAdminApi, run: Run) -> None:
    """On the version that was read: the API takes it as a whole."""
    api.answer("POST", "tenants", in_force(SEARCH), 201)
    run("tenant", "create", "a", "--cache", "exact=on", "--cache", "exact.ttl=1h")
    assert api.last.body == {"name": "a", "cache": {"exact": {"enabled": True, "ttl": 3600}}}
    api.answer("GET", "tenants/search-team", {"data": SEARCH})
    api.answer("PATCH", "tenants/search-team", in_force(SEARCH))
    result = run("tenant", "update", "search-team", "--cache", "semantic=shadow")
    exact, semantic = {"enabled": True, "ttl": 600.0}, {"enabled": True, "shadow": True}
    assert api.last.body == {"cache": {"exact": exact, "semantic": semantic}}
    assert (api.last.if_match, "exact  on     10 min" in result.out) == ('"3"', True)
    assert run("tenant", "update", "search-team", "--cache", "exact=perhaps").exit_code == 2


def test_an_entra_id_that_was_not_mapped_cannot_be_removed(api: FakeAdminApi, run: Run) -> None:
    """A mistyped id would stay mapped, unnoticed."""
    api.answer("GET", "tenants/search-team", {"data": SEARCH})
    result = run("tenant", "update", "search-team", "--remove-entra", APP[:-1] + "1")
    assert result.exit_code == 2
    assert "not mapped" in result.err
    assert {asked.method for asked in api.asked} == {"GET"}


def test_making_a_tenant_sends_what_is_given_and_says_where_it_is_in_force(
    api: FakeAdminApi, run: Run
) -> None:
    """What is not given is the API's to default."""
    api.answer("POST", "tenants", in_force(SEARCH, 1, 2), 201)
    result = run(
        *("tenant", "create", "search-team", "--models", "gpt-4o,embed"),
        *("--tag", "cost-centre=4711", "--limit", "rpm=600", "--limit", "usd_per_day=99.5"),
        *("--redis-loss", "fail_closed", "--time-zone", "Europe/Berlin"),
        "--trace-content",
    )
    assert api.last.body == {
        "name": "search-team",
        "models": ["gpt-4o", "embed"],
        "time_zone": "Europe/Berlin",
        "redis_loss": "fail_closed",
        "trace_content": True,
        "tags": {"cost-centre": "4711"},
        "limits": [{"name": "rpm", "amount": 600}, {"name": "usd_per_day", "amount": 99.5}],
    }
    assert result.lines[1].startswith("search-team  active")
    assert result.err == "in force on 1 of 2 workers; the others follow within a second\n"
    assert run("tenant", "create", "x").exit_code == 0
    assert api.last.body == {"name": "x"}


def test_a_change_as_json_is_the_whole_answer_alone(api: FakeAdminApi, run: Run) -> None:
    """A script sees on how many workers it is in force."""
    api.answer("PATCH", "tenants/search-team", in_force(SEARCH))
    result = run("tenant", "disable", "search-team", "--json")
    assert result.json == in_force(SEARCH)
    assert result.err == ""
    assert api.last.body == {"disabled": True}
    run("tenant", "enable", "search-team")
    assert api.last.body == {"disabled": False}


def test_changing_tags_keeps_the_others_and_holds_to_the_version_read(
    api: FakeAdminApi, run: Run
) -> None:
    """Somebody else's tag is not lost in between."""
    api.answer("GET", "tenants/search-team", {"data": SEARCH})
    api.answer("PATCH", "tenants/search-team", in_force(SEARCH))
    run("tenant", "update", "search-team", "--tag", "project=x", "--all-models")
    assert api.last.body == {"models": None, "tags": {"cost-centre": "4711", "project": "x"}}
    assert api.last.if_match == '"3"'
    run("tenant", "update", "search-team", "--untag", "cost-centre")
    assert api.last.body == {"tags": {}}
    run("tenant", "update", "search-team", "--models", "gpt-4o")
    assert api.last.body == {"models": ["gpt-4o"]}


def test_a_change_of_nothing_and_a_tag_that_is_none_are_usage_mistakes(
    api: FakeAdminApi, run: Run
) -> None:
    """Exit code 2, and nothing is asked."""
    assert run("tenant", "update", "search-team").exit_code == 2
    assert run("tenant", "create", "x", "--tag", "novalue").exit_code == 2
    assert run("tenant", "create", "x", "--limit", "rpmm=1").exit_code == 2
    assert run("tenant", "create", "x", "--redis-loss", "pray").exit_code == 2
    assert run("tenant", "create", "x", "--class", "urgent").exit_code == 2
    wrong = ("sometimes", "usd_per_day=", "usd_per_day=much", "usd_per_week=5")
    for spill in (
        *wrong,
        "",
        "usd_per_day=5,",
        "usd_per_day=5,usd_per_day=6",
        "deny,usd_per_day=5",
    ):
        assert run("tenant", "create", "x", "--spill", spill).exit_code == 2
    assert api.asked == []


def test_deleting_needs_a_yes_where_nobody_can_be_asked(api: FakeAdminApi, run: Run) -> None:
    """A script that forgot it changes nothing."""
    api.answer("DELETE", "tenants/search-team", in_force(None))
    without = run("tenant", "delete", "search-team")
    assert without.exit_code == 2
    assert "--yes" in without.err
    assert api.asked == []
    result = run("tenant", "delete", "search-team", "--yes")
    assert (result.exit_code, result.out) == (0, "")
    assert result.err == "tenant search-team deleted\nin force on 2 of 2 workers\n"


def test_a_refusal_is_one_line_with_what_the_api_said(api: FakeAdminApi, run: Run) -> None:
    """The parameter first; exit code 1."""
    api.handle(
        "POST", "tenants", lambda _: refused(400, "No such zone.", "invalid_request", "time_zone")
    )
    result = run("tenant", "create", "x", "--time-zone", "Mars/North")
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == "spillgate: time_zone: No such zone.\n"


def test_names_are_one_part_of_the_path(api: FakeAdminApi, run: Run) -> None:
    """A slash in a name reaches no other resource, and no name is above the list."""
    run("tenant", "delete", "a/../b", "--yes")
    assert api.last.path == "tenants/a%2F..%2Fb"
    asked = len(api.asked)
    for name in ("..", ".", ""):
        assert run("tenant", "delete", name, "--yes").exit_code == 1
    assert len(api.asked) == asked


def test_what_would_steer_the_terminal_is_not_printed(api: FakeAdminApi, on_terminal: Run) -> None:
    """Escape sequences and markup in a tag are shown, not obeyed."""
    evil = SEARCH | {"tags": {"t": "\x1b[2J[red]x"}}
    api.answer("GET", "tenants", {"data": [evil], "next": None})
    result = on_terminal("tenant", "list")
    assert "\x1b" not in result.out
    assert "[red]x" in "".join(result.out.split())
    api.answer("GET", "tenants", {"data": [evil], "next": None})
    assert "\x1b" not in json.dumps(on_terminal("tenant", "list", "--json").out)
