"""From verified claims to a tenant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.identity.caller_token import (
    LEEWAY_S,
    Caller,
    CallerRules,
    Claims,
    Lifetime,
    Refusal,
    looks_like_token,
)
from app.domain.identity.tenant import Principal, Tenant

A, B, C = Tenant("a"), Tenant("b"), Tenant("c")
RULES = CallerRules(
    objects={"o-a": A, "o-b": B},
    applications={"app-b": B, "app-c": C},
    groups={"g-a": A, "g-a2": A, "g-c": C},
)


def asked(claims: Claims) -> Principal | Refusal:
    """What the rules say of these claims."""
    caller = Caller.of(claims)
    assert caller is not None
    return RULES.principal(caller)


@pytest.mark.parametrize(
    ("claims", "tenant", "key_id"),
    [
        ({"appid": "app-b"}, B, "entra:app-b"),
        ({"azp": "app-b"}, B, "entra:app-b"),
        ({"appid": "APP-B", "azp": "app-b", "oid": "x"}, B, "entra:app-b"),
        ({"appid": "x", "oid": "o-a"}, A, "entra:o-a"),
        ({"appid": "x", "oid": "me", "groups": ["x", "g-c"]}, C, "entra:me"),
        ({"appid": "x", "groups": ["G-A", "g-a2"]}, A, "entra:x"),
    ],
)
def test_each_kind_of_id_names_a_tenant(claims: Claims, tenant: Tenant, key_id: str) -> None:
    """In both forms of the application's claim, in either case; the key id tells who it was."""
    assert asked(claims) == Principal(tenant, key_id)


@pytest.mark.parametrize(
    ("claims", "tenant"),
    [
        ({"appid": "app-b", "oid": "o-a", "groups": ["g-c"]}, A),
        ({"appid": "app-b", "oid": "x", "groups": ["g-a", "g-c"]}, B),
        ({"appid": "app-c", "oid": "o-b"}, B),
    ],
)
def test_the_most_specific_id_decides(claims: Claims, tenant: Tenant) -> None:
    """Object before application before group, whatever the others say."""
    found = asked(claims)
    assert isinstance(found, Principal)
    assert found.tenant == tenant


def test_groups_of_two_tenants_are_refused() -> None:
    """Nobody is put on one of two accounts by chance."""
    assert asked({"appid": "x", "groups": ["g-a", "g-c"]}) is Refusal.AMBIGUOUS


@pytest.mark.parametrize(
    "claims",
    [
        {"appid": "x"},
        {"appid": "o-a"},
        {"appid": "g-a", "oid": "app-b", "groups": ["o-a"]},
        {"appid": "x", "oid": "", "groups": "g-a"},
        {"appid": "x", "oid": ["o-a"], "groups": [["g-a"], None, 3]},
        {"appid": "x", "groups": {"g-a": 1}},
        {"appid": "x", "hasgroups": True},
    ],
)
def test_other_claims_are_nobodys(claims: Claims) -> None:
    """An id counts only where it belongs, and only as text."""
    assert asked(claims) is Refusal.UNKNOWN


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"oid": "o-a", "groups": ["g-a"]},
        {"appid": ""},
        {"azp": None},
        {"appid": 7},
        {"appid": "app-b", "azp": "app-c"},
        {"appid": "app-b", "azp": None},
    ],
)
def test_a_token_without_one_application_is_no_access_token(claims: Claims) -> None:
    """ID tokens name none, and one that names two names nobody."""
    assert Caller.of(claims) is None


def test_a_token_is_good_between_its_times() -> None:
    """To the second, the leeway on both sides."""
    lifetime = Lifetime.of({"nbf": 1000, "exp": 5000})
    assert lifetime is not None
    said = {now: lifetime.refusal(now) for now in (939.9, 940, 3000, 5059.9, 5060)}
    assert said == {
        939.9: Refusal.NOT_YET_VALID,
        940: None,
        3000: None,
        5059.9: None,
        5060: Refusal.EXPIRED,
    }
    assert LEEWAY_S == 60


@pytest.mark.parametrize("bad", [None, "5000", True, float("nan"), float("inf"), 10**400, [1]])
def test_times_that_are_no_numbers_are_refused(bad: object) -> None:
    """Neither is guessed."""
    assert Lifetime.of({"exp": bad}) is None
    assert Lifetime.of({"exp": 5000, "nbf": bad}) is None


def test_an_end_is_needed_and_a_beginning_is_not() -> None:
    """A token without an end would be good for ever."""
    assert Lifetime.of({"nbf": 1000}) is None
    assert Lifetime.of({"exp": 5000}) == Lifetime(-60, 5060)


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("eyJh.eyJi.c", True),
        ("eyJ..", True),
        ("eyJh.b", False),
        ("eyJh.b.c.d.e", False),
        ("spg_live_a_b", False),
        ("a.b.c", False),
        (" eyJh.b.c", False),
        ("", False),
    ],
)
def test_tokens_are_told_from_keys_by_their_form(text: str, looks: bool) -> None:  # noqa: FBT001 - a row
    """Three parts, the first of which begins as a JSON object does in base64."""
    assert looks_like_token(text) is looks


SINGLE = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "app-b"])
NAMES = st.sampled_from(["appid", "azp", "oid", "groups", "exp", "nbf"])


@given(st.dictionaries(NAMES, SINGLE | st.lists(SINGLE, max_size=3)))
def test_no_claims_break_it(claims: dict[str, object]) -> None:
    """Whatever a directory signs, the answer is a principal or a reason."""
    caller = Caller.of(claims)
    assert caller is None or isinstance(RULES.principal(caller), Principal | Refusal)
    lifetime = Lifetime.of(claims)
    assert lifetime is None or lifetime.refusal(lifetime.ends) is Refusal.EXPIRED
