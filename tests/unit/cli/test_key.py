"""The key commands."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from app.cli.key import new_key
from app.domain.identity.api_key import ApiKey
from tests.fakes.admin_api import FakeAdminApi, in_force
from tests.fakes.command_line import NOW, Run, golden

SECRET = new_key("test")
ENTRY: dict[str, Any] = {
    "id": "Ab3dEf6hIj",
    "tenant": "search-team",
    "last4": "9c1f",
    "name": "ci",
    "models": None,
    "tags": {"env": "prod"},
    "disabled": False,
    "created_at": NOW - 86400,
    "expires_at": NOW + 90 * 86400,
    "version": 1,
}


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_fresh_key_is_well_formed(environment: Literal["live", "test"]) -> None:
    """It is a key and nothing else, and says where it belongs."""
    key = ApiKey.parse(new_key(environment))
    assert key is not None
    assert key.environment == environment


def test_no_two_keys_are_alike() -> None:
    """Ids and secrets both come from fresh randomness."""
    keys = [new_key() for _ in range(200)]
    assert len({key[9:19] for key in keys}) == len({key[20:63] for key in keys}) == 200


def test_a_made_key_stands_alone_on_standard_output(api: FakeAdminApi, run: Run) -> None:
    """What is said of it is on the other stream, and never the key."""
    api.answer("POST", "tenants/search-team/keys", in_force(ENTRY | {"key": SECRET}), 201)
    result = run(
        *("key", "create", "search-team", "--name", "ci", "--models", "gpt-4o"),
        *("--tag", "env=prod", "--expires", "90d"),
    )
    assert (result.exit_code, result.out) == (0, f"{SECRET}\n")
    assert result.err == (
        "key Ab3dEf6hIj of search-team, valid until 2027-02-19 09:00:00 CET\n"
        "it is shown this once: keep it now\n"
        "in force on 2 of 2 workers\n"
    )
    assert api.last.body == {
        "name": "ci",
        "models": ["gpt-4o"],
        "tags": {"env": "prod"},
        "expires_at": NOW + 90 * 86400,
    }


def test_a_made_key_as_json_is_the_answer(api: FakeAdminApi, run: Run) -> None:
    """With the key in it, and nothing beside it."""
    answer = in_force(ENTRY | {"key": SECRET})
    api.answer("POST", "tenants/search-team/keys", answer, 201)
    result = run("key", "create", "search-team", "--json")
    assert (result.json, result.err, api.last.body) == (answer, "", {})


def test_keys_are_listed_with_their_state(api: FakeAdminApi, run: Run) -> None:
    """Expired is told from active by this machine's clock."""
    keys = [
        ENTRY,
        ENTRY | {"id": "Zz9", "disabled": True, "name": "", "models": ["gpt-4o"]},
        ENTRY | {"id": "Yy8", "expires_at": NOW - 1},
    ]
    api.answer("GET", "tenants/search-team/keys", {"data": keys, "next": None})
    assert run("key", "list", "search-team").lines == golden("key_list")


@pytest.mark.parametrize(("given", "sent"), [([], 86400), (["--overlap", "0"], 0)])
def test_rotating_prints_the_new_key_and_sends_the_overlap(
    api: FakeAdminApi, run: Run, given: list[str], sent: int
) -> None:
    """A day unless something else is asked for."""
    api.answer("POST", "keys/Ab3dEf6hIj/rotate", in_force(ENTRY | {"key": SECRET}))
    assert run("key", "rotate", "Ab3dEf6hIj", *given).out == f"{SECRET}\n"
    assert api.last.body == {"overlap_s": sent}


def test_a_key_is_disabled_enabled_and_deleted(api: FakeAdminApi, run: Run) -> None:
    """By its id."""
    api.answer("PATCH", "keys/Ab3dEf6hIj", in_force(ENTRY))
    api.answer("DELETE", "keys/Ab3dEf6hIj", in_force(None))
    for command, disabled in (("disable", True), ("enable", False)):
        assert run("key", command, "Ab3dEf6hIj").exit_code == 0
        assert api.last.body == {"disabled": disabled}
    assert run("key", "delete", "Ab3dEf6hIj").exit_code == 2
    assert run("key", "delete", "Ab3dEf6hIj", "--yes").exit_code == 0
    assert api.last.method == "DELETE"


def test_a_fresh_key_needs_no_admin_api(api: FakeAdminApi, run: Run) -> None:
    """It is for a seed in a config, before anything runs."""
    result = run("key", "new", "--test")
    assert ApiKey.parse(result.out.strip()) is not None
    assert (result.err, api.asked) == ("", [])
