from __future__ import annotations

from math import ceil

import pytest

from app.api.console import sessions as module
from app.api.console.sessions import (
    IDLE_S,
    LONGEST_S,
    MOST_OF_A_KEY,
    Notice,
    Session,
    Sessions,
)
from app.domain.identity.directory import Actor, Change, EntryKind, Role
from tests.fakes.admin import ADMIN_KEYS, OWNER_KEY, VIEWER_ID, AdminHouse
from tests.fakes.changed import replace

VIEWER_KEY = ADMIN_KEYS[Role.VIEWER]
OWNER = Actor("owner", Role.OWNER)


@pytest.fixture
def house() -> AdminHouse:
    """With an administrator of each role."""
    return AdminHouse()


@pytest.fixture
def sessions(house: AdminHouse) -> Sessions:
    """Nobody is signed in."""
    services = house.services()
    return Sessions(lambda: services.authentication, house.clock.now, services.randomness)


def begun(house: AdminHouse, sessions: Sessions, key: str) -> str:
    """The id of a session of whoever has this key."""
    return sessions.begin(key, house.services().authentication.authenticate(f"Bearer {key}"))


def is_on(sessions: Sessions, session_id: str, *, is_used: bool = False) -> bool:
    """Whether the session is there."""
    return sessions.find(session_id, "", is_used=is_used) is not None


def test_a_session_says_who_it_is(house: AdminHouse, sessions: Sessions) -> None:
    """With the request's id, which the audit log then has, and a token of its own."""
    owner, viewer = begun(house, sessions, OWNER_KEY), begun(house, sessions, VIEWER_KEY)
    found, other = (
        sessions.find(owner, "req-1", is_used=True),
        sessions.find(viewer, "", is_used=False),
    )
    assert found is not None
    assert other is not None
    assert (found[1].actor.role, found[1].actor.request_id) == (Role.OWNER, "req-1")
    assert other[1].actor.role is Role.VIEWER
    assert found[0].csrf != other[0].csrf
    assert found[0].is_form_of_ours(found[0].csrf)
    assert not found[0].is_form_of_ours(other[0].csrf)
    assert not is_on(sessions, "another")


def test_nobody_finds_an_id_or_a_key_in_memory(house: AdminHouse, sessions: Sessions) -> None:
    """What is kept is digests."""
    session_id = begun(house, sessions, VIEWER_KEY)
    found = sessions.find(session_id, "", is_used=True)
    assert found is not None
    kept = [repr(vars(sessions)), *(repr(getattr(found[0], name)) for name in Session.__slots__)]
    for text in kept:
        assert session_id not in text
        assert VIEWER_KEY not in text


def test_a_session_ends_when_nothing_is_done(house: AdminHouse, sessions: Sessions) -> None:
    """A page that refreshes itself keeps nobody signed in; one that is opened does."""
    session_id = begun(house, sessions, OWNER_KEY)
    house.clock.advance(IDLE_S - 1)
    assert is_on(sessions, session_id, is_used=True)
    house.clock.advance(IDLE_S - 1)
    assert is_on(sessions, session_id, is_used=False)
    house.clock.advance(1)
    assert not is_on(sessions, session_id)
    assert len(sessions) == 0


def test_a_session_ends_after_a_day_of_work(house: AdminHouse, sessions: Sessions) -> None:
    """Whatever was done meanwhile."""
    session_id = begun(house, sessions, OWNER_KEY)
    for _ in range(ceil(LONGEST_S / 1000)):
        assert is_on(sessions, session_id, is_used=True)
        house.clock.advance(1000)
    assert not is_on(sessions, session_id)


def test_a_key_has_so_many_sessions_at_most(house: AdminHouse, sessions: Sessions) -> None:
    """The one of them that was longest idle makes room, and nobody else's."""
    other = begun(house, sessions, VIEWER_KEY)
    first, second = begun(house, sessions, OWNER_KEY), begun(house, sessions, OWNER_KEY)
    assert is_on(sessions, first, is_used=True)
    for _ in range(MOST_OF_A_KEY - 1):
        begun(house, sessions, OWNER_KEY)
    assert len(sessions) == MOST_OF_A_KEY + 1
    assert is_on(sessions, first)
    assert is_on(sessions, other)
    assert not is_on(sessions, second)


def test_there_are_so_many_sessions_at_most(
    house: AdminHouse, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many keys: the one that was longest idle makes room."""
    monkeypatch.setattr(module, "MOST", 2)
    first = begun(house, sessions, VIEWER_KEY)
    begun(house, sessions, OWNER_KEY)
    begun(house, sessions, OWNER_KEY)
    assert len(sessions) == 2
    assert not is_on(sessions, first)


@pytest.mark.parametrize(
    "change",
    [
        {"disabled": True},
        {"role": Role.OPERATOR},
        {"role": Role.TENANT_ADMIN, "tenant": "search"},
        {"digest": "00" * 32},
        {"expires_at": 1.0},
        None,
    ],
)
async def test_a_session_ends_with_its_key(
    house: AdminHouse, sessions: Sessions, change: dict[str, object] | None
) -> None:
    """At the next request: disabled, deleted, expired, replaced, or of another role."""
    session_id = begun(house, sessions, VIEWER_KEY)
    entry = house.store.current.admins[VIEWER_ID]
    after = None if change is None else replace(entry, **change)
    await house.store.change([Change(EntryKind.ADMIN, VIEWER_ID, after)], OWNER)
    assert not is_on(sessions, session_id)


def test_an_owners_session_ends_with_the_configured_key(
    house: AdminHouse, sessions: Sessions
) -> None:
    """Another one, or none, ends it."""
    for key in ("another-key", None):
        house.owner_key = OWNER_KEY
        session_id = begun(house, sessions, OWNER_KEY)
        house.owner_key = key
        assert not is_on(sessions, session_id)


def test_a_notice_is_told_once(house: AdminHouse, sessions: Sessions) -> None:
    """A key that was made is shown on one page, and in no log."""
    found = sessions.find(begun(house, sessions, OWNER_KEY), "", is_used=True)
    assert found is not None
    session = found[0]
    session.tell(Notice("Made.", secret="spg_live_x"))
    assert "spg_live_x" not in repr(session)
    assert [each.secret for each in session.told()] == ["spg_live_x"]
    assert session.told() == []
