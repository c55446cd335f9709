from __future__ import annotations

import pytest

from app.api.admin.roles import Authentication, Caller
from app.domain.identity.directory import AdminEntry, Directory, Role
from app.errors import InvalidApiKey
from tests.fakes.admin import PEPPER, AdminHouse, admin_entry, key_text
from tests.fakes.changed import replace

KEY = key_text(5)
ENTRY = admin_entry(KEY, Role.OPERATOR, name="Ada", expires_at=100.0)


def caller_of(
    entry: AdminEntry, authorization: str = f"Bearer {KEY}", *, unix: float = 99.0
) -> Caller:
    """Who shows this header where `entry` is the only administrator."""
    directory = Directory(admins={entry.id: entry})
    known = Authentication(lambda: directory, lambda: PEPPER, lambda: "the-owner", lambda: unix)
    return known.authenticate(authorization, "req_1")


def test_that_an_administrator_is_known_by_its_key_and_named_in_the_log() -> None:
    """The log names an id and a name, never the key."""
    actor = caller_of(ENTRY).actor
    assert (actor.name, actor.role, actor.request_id) == (
        f"{ENTRY.id} (Ada)",
        Role.OPERATOR,
        "req_1",
    )
    assert KEY not in repr(actor)


def test_that_the_scheme_is_read_as_http_does() -> None:
    """`bearer` is `Bearer`, and any other scheme is none of ours."""
    assert caller_of(ENTRY, f"bearer {KEY}").actor.role is Role.OPERATOR
    for header in (KEY, f"Basic {KEY}", "Bearer", ""):
        with pytest.raises(InvalidApiKey, match="needs 'Authorization: Bearer ADMIN_KEY'"):
            caller_of(ENTRY, header)
    with pytest.raises(InvalidApiKey, match="is not valid"):
        caller_of(ENTRY, f"Bearer  {KEY}")


def test_that_a_key_that_is_not_in_force_is_as_an_unknown_one() -> None:
    """Disabled, expired, of another pepper, or a tenant-admin without a tenant."""
    stale = [
        replace(ENTRY, disabled=True),
        replace(ENTRY, expires_at=99.0),
        replace(ENTRY, digest="00" * 32),
        replace(ENTRY, role=Role.TENANT_ADMIN),
    ]
    for entry in stale:
        with pytest.raises(InvalidApiKey) as refusal:
            caller_of(entry)
        message = "The admin key is not valid: unknown, disabled or expired."
        assert refusal.value.message == message


def test_that_a_key_of_another_id_with_this_ones_digest_is_refused() -> None:
    """The id finds the entry, the digest alone lets in."""
    other = key_text(6)
    with pytest.raises(InvalidApiKey):
        caller_of(ENTRY, f"Bearer {other}")


async def test_that_nobody_is_the_owner_of_a_gateway_without_an_owner_key() -> None:
    """No key at all and an empty one are refused, not equal to each other."""
    house = AdminHouse(owner_key=None)
    for key in (None, "", "None"):
        async with house.client(key) as client:
            assert (await client.get("me")).status_code == 401


async def test_that_a_reloaded_owner_key_counts_at_once() -> None:
    """The key is asked for at each request."""
    house = AdminHouse()
    async with house.client("next-owner-key") as client:
        assert (await client.get("me")).status_code == 401
        house.owner_key = "next-owner-key"
        answer = (await client.get("me")).json()["data"]
    assert (answer["name"], answer["role"], answer["tenant"]) == ("owner", "owner", None)
