"""Callers as the directory has them: in force at once, in the same time for every answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from operator import is_
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.adapters.identity import directory_keys
from app.adapters.identity.directory_keys import DELETED_FOR_S, DirectoryCallers, DirectoryKeys
from app.adapters.redis.directory import Current
from app.domain.identity.api_key import ApiKey, KeyRecord, digest, mint
from app.domain.identity.caller_token import CallerRules
from app.domain.identity.directory import (
    CacheEntry,
    Directory,
    EntraIds,
    Entry,
    KeyEntry,
    TenantEntry,
)
from app.domain.identity.directory_change import directory_of
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import LossPolicy, Principal, Tenant
from app.domain.quota.limit import LimitName, LimitRule
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock

PEPPER = b"pepper"
RULES = (LimitRule(LimitName.RPM, 60),)
SEARCH = TenantEntry(
    "search",
    models=("a", "b"),
    limits=RULES,
    time_zone="Europe/Berlin",
    redis_loss=LossPolicy.FAIL_CLOSED,
    routing=RoutePolicy(data_zones=frozenset({"eu"})),
)


def new_key(seed: int) -> str:
    draw = random.Random(seed)
    return mint(environment="test", id_bytes=draw.randbytes(8), secret_bytes=draw.randbytes(32))


KEY, OTHER = new_key(1), new_key(2)


def entry_of(key: str, tenant: str = "search", **given: Any) -> KeyEntry:
    parsed = ApiKey.parse(key)
    assert parsed
    return KeyEntry(parsed.id, tenant, digest(PEPPER, key).hex(), **given)


@dataclass
class Stored:
    in_force: Current = field(default_factory=lambda: Current(Directory(), PEPPER))

    def put(self, *entries: Entry, pepper: bytes = PEPPER) -> None:
        version = self.in_force.directory.version + 1
        self.in_force = Current(directory_of(entries, version), pepper)


def keys_of(*entries: Entry, clock: FakeClock | None = None) -> DirectoryKeys:
    store = Stored()
    store.put(*entries)
    return DirectoryKeys(store, clock or FakeClock())


def test_a_key_is_its_tenants_with_all_that_the_directory_says() -> None:
    """Models, limits, time zone and policies; the same object each time."""
    keys = keys_of(SEARCH, entry_of(KEY))
    found = keys.find(KEY)
    assert found == Principal(
        Tenant(
            "search",
            frozenset({"a", "b"}),
            limits=RULES,
            zone=ZoneInfo("Europe/Berlin"),
            redis_loss=LossPolicy.FAIL_CLOSED,
            routing=RoutePolicy(data_zones=frozenset({"eu"})),
        ),
        entry_of(KEY).id,
    )
    assert keys.find(KEY) is found


@pytest.mark.parametrize(
    ("of_tenant", "of_key", "allowed"),
    [
        (None, None, None),
        (None, ("a",), {"a"}),
        (("a", "b"), None, {"a", "b"}),
        (("a", "b"), ("b", "c"), {"b"}),
        (("a",), ("c",), set()),
        (("a",), (), set()),
    ],
)
def test_a_key_narrows_what_its_tenant_may_use(
    of_tenant: tuple[str, ...] | None, of_key: tuple[str, ...] | None, allowed: set[str] | None
) -> None:
    """Never more than the tenant."""
    keys = keys_of(replace(SEARCH, models=of_tenant), entry_of(KEY, models=of_key))
    found = keys.find(KEY)
    assert found
    assert found.tenant.models == allowed


@pytest.mark.parametrize(
    ("of_tenant", "of_key", "tags"),
    [
        ({}, {}, {}),
        ({"cost_center": "42"}, {}, {"cost_center": "42"}),
        ({}, {"app": "ci"}, {"app": "ci"}),
        ({"cost_center": "42", "app": "-"}, {"app": "ci"}, {"cost_center": "42", "app": "ci"}),
    ],
)
def test_a_keys_tags_come_before_its_tenants(
    of_tenant: dict[str, str], of_key: dict[str, str], tags: dict[str, str]
) -> None:
    """Both stand in the row of each request."""
    keys = keys_of(replace(SEARCH, tags=of_tenant), entry_of(KEY, tags=of_key))
    found = keys.find(KEY)
    assert found
    assert found.tenant.tags == tags
    assert keys.tenants()["search"].tags == of_tenant


@pytest.mark.parametrize(
    "entries",
    [
        (SEARCH,),
        (entry_of(KEY),),
        (SEARCH, entry_of(KEY, disabled=True)),
        (replace(SEARCH, disabled=True), entry_of(KEY)),
        (SEARCH, replace(entry_of(KEY), digest="00" * 32)),
        (SEARCH, replace(entry_of(OTHER), id=entry_of(KEY).id)),
    ],
    ids=["unknown", "no tenant", "disabled", "tenant disabled", "zeros", "another secret"],
)
def test_who_is_not_let_in(entries: tuple[Entry, ...]) -> None:
    """Whatever the reason, there is nobody."""
    assert keys_of(*entries).find(KEY) is None


@pytest.mark.parametrize("text", ["", "sk-something", "spg_test_", "\ud800", "a" * 10_000, "ключ"])
def test_other_texts_are_nobodys(text: str) -> None:
    """Whatever a caller sends is answered, not raised on."""
    assert keys_of(SEARCH, entry_of(KEY)).find(text) is None


def test_a_key_ends_when_it_expires() -> None:
    """Without a new version of the directory."""
    clock = FakeClock()
    keys = keys_of(SEARCH, entry_of(KEY, expires_at=clock.unix() + 10), clock=clock)
    assert keys.find(KEY)
    clock.advance(10)
    assert keys.find(KEY) is None


def test_a_new_version_is_in_force_at_once() -> None:
    """For keys and tenants; and so is a new pepper, which opens nothing by itself."""
    store = Stored()
    keys = DirectoryKeys(store, FakeClock())
    assert keys.find(KEY) is None
    store.put(SEARCH, entry_of(KEY))
    assert keys.find(KEY)
    store.put(SEARCH, entry_of(KEY), pepper=b"another")
    assert keys.find(KEY) is None


def test_disabled_tenants_have_accounts_but_no_callers() -> None:
    """Their books are kept."""
    keys = keys_of(replace(SEARCH, disabled=True), TenantEntry("sales"))
    assert set(keys.tenants()) == {"search", "sales"}
    assert keys.tenant("search") is None
    assert keys.tenant("unknown") is None
    assert keys.tenant("sales") == Tenant("sales", zone=ZoneInfo("UTC"))


def test_a_deleted_tenant_may_still_have_rows_for_a_day() -> None:
    """Also one that was deleted long after the version before, and until it is made again."""
    store, clock = Stored(), FakeClock()
    store.put(SEARCH, TenantEntry("sales"))
    keys = DirectoryKeys(store, clock)
    clock.advance(10 * DELETED_FOR_S)
    store.put(SEARCH)
    assert set(keys.tenants()) == {"search"}
    assert keys.names_with_rows() == {"search", "sales"}
    clock.advance(DELETED_FOR_S)
    assert keys.names_with_rows() == {"search", "sales"}
    clock.advance(1)
    assert keys.names_with_rows() == {"search"}
    store.put(TenantEntry("sales"))
    assert keys.names_with_rows() == {"search", "sales"}
    store.put(SEARCH, TenantEntry("sales"))
    clock.advance(DELETED_FOR_S + 1)
    assert keys.names_with_rows() == {"search", "sales"}


def test_evicting_and_making_a_tenant_again_begin_a_generation() -> None:
    """What happens to other tenants does not; a tenant that equals the one before is another."""
    store = Stored()
    keys = DirectoryKeys(store, FakeClock())
    sales, evicted = TenantEntry("sales"), CacheEntry("search")

    def is_same_after(*entries: Entry) -> bool:
        before = keys.answers_generation("search")
        store.put(*entries)
        return all(map(is_, before, keys.answers_generation("search")))

    assert not is_same_after(SEARCH)
    assert is_same_after(SEARCH, sales)
    assert is_same_after(SEARCH, CacheEntry("sales"))
    assert not is_same_after(SEARCH, evicted)
    assert is_same_after(SEARCH, evicted)
    assert not is_same_after(SEARCH, replace(evicted))
    assert not is_same_after(replace(SEARCH), evicted)


def test_tokens_are_whose_the_directory_says() -> None:
    """By kind; a new version is in force at once, and disabled tenants keep theirs."""
    store = Stored()
    keys = DirectoryKeys(store, FakeClock())
    assert keys.caller_rules() == CallerRules({}, {}, {})
    ids = EntraIds(applications=("a",), objects=("o",), groups=("g", "h"))
    store.put(replace(SEARCH, entra=ids, disabled=True), TenantEntry("sales"))
    rules, search = keys.caller_rules(), keys.tenants()["search"]
    assert rules == CallerRules({"o": search}, {"a": search}, {"g": search, "h": search})
    assert keys.caller_rules() is rules


@dataclass
class Tokens:
    principal: Principal | None

    async def find(self, token: str) -> Principal | None:
        return self.principal


@pytest.mark.parametrize("disabled", [False, True])
async def test_a_token_speaks_for_the_tenant_as_it_is_now(disabled: bool) -> None:  # noqa: FBT001
    """Not as it was when the token was verified; a disabled tenant has no callers."""
    keys = keys_of(replace(SEARCH, disabled=disabled))
    verified = Principal(Tenant("search"), "entra:someone")
    found = await DirectoryCallers(Tokens(verified), keys).find("token")
    expected = Principal(keys.tenants()["search"], "entra:someone")
    assert found == (None if disabled else expected)
    assert await DirectoryCallers(Tokens(None), keys).find("token") is None


@dataclass
class Work:
    digests: int = 0
    comparisons: int = 0


def test_the_work_does_not_depend_on_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One digest and one comparison, whoever asks; none for who has shown a key before."""
    disabled = new_key(3)
    keys = keys_of(SEARCH, entry_of(KEY), entry_of(disabled, disabled=True))
    work = Work()
    compare = KeyRecord.matches

    def counted_digest(pepper: bytes, key: str) -> bytes:
        work.digests += 1
        return digest(pepper, key)

    def counted_comparison(record: KeyRecord, presented: bytes) -> bool:
        work.comparisons += 1
        return compare(record, presented)

    monkeypatch.setattr(directory_keys, "digest", counted_digest)
    monkeypatch.setattr(KeyRecord, "matches", counted_comparison)
    for _ in range(2):
        for text in (OTHER, "not a key", KEY[:-1], KEY + "0"):
            before = (work.digests, work.comparisons)
            keys.find(text)
            assert (work.digests, work.comparisons) == (before[0] + 1, before[1] + 1)
        keys.find(KEY)
        keys.find(disabled)
    assert (work.digests, work.comparisons) == (8 + 2, 8 + 2)


def test_a_key_that_was_shown_before_ends_like_any_other() -> None:
    """At once: with its entry, with its tenant, with the pepper, and in time."""
    store, clock = Stored(), FakeClock()
    ends = clock.unix() + 60
    kept = SEARCH, entry_of(KEY, expires_at=ends)
    keys = DirectoryKeys(store, clock)
    for change in ((SEARCH,), (replace(SEARCH, disabled=True), kept[1])):
        store.put(*kept)
        assert keys.find(KEY) is not None
        assert keys.find(KEY) is not None
        store.put(*change)
        assert keys.find(KEY) is None
    store.put(*kept)
    assert keys.find(KEY) is not None
    store.put(*kept, pepper=b"another")
    assert keys.find(KEY) is None
    store.put(*kept)
    assert keys.find(KEY) is not None
    clock.advance(60)
    assert keys.find(KEY) is None


def test_more_keys_than_are_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are let in; what is remembered of them is bounded."""
    monkeypatch.setattr(directory_keys, "_RECENT", 3)
    several = [new_key(seed) for seed in range(10, 20)]
    keys = keys_of(SEARCH, *(entry_of(key) for key in several))
    for key in several * 2:
        assert keys.find(key) is not None
        assert len(keys._index().recent) <= 3  # noqa: SLF001  # nothing else shows it


def test_a_tenants_policy_is_the_one_in_force() -> None:
    """Whatever it was when the request came; none once the tenant is disabled or deleted."""
    store = Stored()
    store.put(SEARCH, entry_of(KEY))
    keys = DirectoryKeys(store, FakeClock())
    found = keys.find(KEY)
    assert found is not None
    assert keys.policy(found.tenant) == RoutePolicy(data_zones=frozenset({"eu"}))
    moved = RoutePolicy(data_zones=frozenset({"us"}))
    store.put(replace(SEARCH, routing=moved), entry_of(KEY))
    assert keys.policy(found.tenant) == moved
    store.put(replace(SEARCH, disabled=True), entry_of(KEY))
    assert keys.policy(found.tenant) is None
    store.put()
    assert keys.policy(found.tenant) is None
