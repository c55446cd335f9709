"""The commands about administrators."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.key import new_key
from tests.fakes.admin_api import FakeAdminApi, in_force, refused
from tests.fakes.command_line import NOW, Run, golden

SECRET = new_key()
ADA: dict[str, Any] = {
    "id": "Ab3dEf6hIj",
    "role": "operator",
    "name": "Ada",
    "tenant": None,
    "last4": "9c1f",
    "disabled": False,
    "created_at": NOW - 86400,
    "expires_at": None,
    "version": 3,
}
BOB = ADA | {"id": "Zz9", "role": "tenant-admin", "tenant": "search-team", "name": ""}


def test_administrators_are_listed_with_their_roles(api: FakeAdminApi, run: Run) -> None:
    """And whose tenant they see."""
    late = ADA | {"id": "Yy8", "expires_at": NOW - 1, "role": "viewer"}
    admins = [ADA, BOB | {"disabled": True}, late]
    api.answer("GET", "admins", {"data": admins, "next": None})
    assert run("admin", "list").lines == golden("admin_list")


def test_a_new_administrators_key_stands_alone_on_standard_output(
    api: FakeAdminApi, run: Run
) -> None:
    """What it may do is on the other stream."""
    api.answer("POST", "admins", in_force(BOB | {"key": SECRET}), 201)
    result = run(
        *("admin", "create", "tenant-admin", "--tenant", "search-team"),
        *("--name", "Bob", "--expires", "90d"),
    )
    assert (result.exit_code, result.out) == (0, f"{SECRET}\n")
    assert result.err.startswith("admin Zz9, tenant-admin of search-team\n")
    assert api.last.body == {
        "role": "tenant-admin",
        "tenant": "search-team",
        "name": "Bob",
        "expires_at": NOW + 90 * 86400,
    }


@pytest.mark.parametrize("given", [["tenant-admin"], ["viewer", "--tenant", "a"], ["king"]])
def test_a_role_without_its_tenant_is_a_usage_mistake(
    api: FakeAdminApi, run: Run, given: list[str]
) -> None:
    """And a tenant without its role, and a role that is none."""
    assert run("admin", "create", *given).exit_code == 2
    assert api.asked == []


def test_rotating_makes_a_like_one_and_ends_the_old(api: FakeAdminApi, run: Run) -> None:
    """After a day unless something else is asked for."""
    api.answer("GET", "admins/Ab3dEf6hIj", {"data": ADA})
    api.answer("POST", "admins", in_force(ADA | {"id": "New", "key": SECRET}), 201)
    api.answer("PATCH", "admins/Ab3dEf6hIj", in_force(ADA))
    result = run("admin", "rotate", "Ab3dEf6hIj")
    assert result.out == f"{SECRET}\n"
    assert api.asked[1].body == {"role": "operator", "name": "Ada"}
    assert api.last.body == {"expires_at": NOW + 86400}
    assert result.err.endswith("admin Ab3dEf6hIj ends 2026-11-22 09:00:00 CET\n")
    run("admin", "rotate", "Ab3dEf6hIj", "--overlap", "0")
    assert api.last.body == {"expires_at": NOW}


def test_rotating_never_lets_the_old_one_in_for_longer(api: FakeAdminApi, run: Run) -> None:
    """One that ends before the overlap does ends when it would have."""
    api.answer("GET", "admins/Ab3dEf6hIj", {"data": ADA | {"expires_at": NOW + 60}})
    api.answer("POST", "admins", in_force(ADA | {"key": SECRET}), 201)
    api.answer("PATCH", "admins/Ab3dEf6hIj", in_force(ADA))
    run("admin", "rotate", "Ab3dEf6hIj")
    assert api.last.body == {"expires_at": NOW + 60}


def test_a_rotation_that_fails_half_way_has_printed_the_new_key(
    api: FakeAdminApi, run: Run
) -> None:
    """Nobody could ever see it again."""
    api.answer("GET", "admins/Ab3dEf6hIj", {"data": ADA})
    api.answer("POST", "admins", in_force(ADA | {"key": SECRET}), 201)
    api.handle("PATCH", "admins/Ab3dEf6hIj", lambda _: refused(503, "No store.", "x"))
    result = run("admin", "rotate", "Ab3dEf6hIj")
    assert (result.exit_code, result.out) == (1, f"{SECRET}\n")
    assert result.err.endswith("spillgate: No store.\n")


def test_an_administrator_is_disabled_enabled_and_deleted(api: FakeAdminApi, run: Run) -> None:
    """By its id; deleting asks."""
    api.answer("PATCH", "admins/Ab3dEf6hIj", in_force(ADA))
    api.answer("DELETE", "admins/Ab3dEf6hIj", in_force({"id": "Ab3dEf6hIj"}))
    for command, disabled in (("disable", True), ("enable", False)):
        assert run("admin", command, "Ab3dEf6hIj").exit_code == 0
        assert api.last.body == {"disabled": disabled}
    assert run("admin", "delete", "Ab3dEf6hIj").exit_code == 2
    assert run("admin", "delete", "Ab3dEf6hIj", "--yes").exit_code == 0
    assert api.last.method == "DELETE"
