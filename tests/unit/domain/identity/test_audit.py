"""The audit log's chain: what is whole, and every way of tampering that is found."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.shares import RequestClass
from app.domain.identity.audit import ChainEnd, Step, chained, entry_hash, verify_audit
from app.domain.identity.directory import Actor, AuditRecord, Change, EntryKind, Role, TenantEntry
from app.domain.identity.route_policy import ANYWHERE, RoutePolicy
from app.domain.quota.limit import LimitName, LimitRule
from tests.fakes.changed import replace

ANNA = Actor("anna", Role.OWNER, "req-1")
BEFORE = TenantEntry("search")
AFTER = TenantEntry("search", disabled=True, version=2)
CHANGE = Change(EntryKind.TENANT, "search", AFTER)


def log(length: int = 4) -> list[AuditRecord]:
    """A log of its own length, whole."""
    return list(chained([Step(CHANGE, BEFORE, AFTER)] * length, ChainEnd(), actor=ANNA, at=7.0))


def test_a_record_says_who_did_what_to_which_entry() -> None:
    """With hashes of the entry before and after, and never the entry."""
    created, changed, deleted = chained(
        [Step(CHANGE, None, BEFORE), Step(CHANGE, BEFORE, AFTER), Step(CHANGE, AFTER, None)],
        ChainEnd(),
        actor=ANNA,
        at=7.0,
    )
    assert (created.actor, created.role, created.request_id) == ("anna", Role.OWNER, "req-1")
    assert (created.at, created.kind, created.id) == (7.0, EntryKind.TENANT, "search")
    assert [created.action, changed.action, deleted.action] == ["created", "changed", "deleted"]
    assert (created.before, created.after) == ("", entry_hash(BEFORE))
    assert (deleted.before, deleted.after) == (entry_hash(AFTER), "")


def test_whether_prompts_are_traced_is_told_in_words() -> None:
    """Of a tenant that is made or changed; hashes would not say so."""
    on = replace(BEFORE, trace_content=True)
    steps = [(None, on), (on, BEFORE), (BEFORE, on), (on, replace(on, disabled=True)), (on, None)]
    records = chained((Step(CHANGE, *each) for each in steps), ChainEnd(), actor=ANNA, at=7.0)
    assert [each.action for each in records] == [
        "created, trace_content on",
        "changed, trace_content off",
        "changed, trace_content on",
        "changed",
        "deleted",
    ]


def test_a_whole_log_has_no_faults() -> None:
    """At once, or in two parts."""
    records = log()
    assert verify_audit([]) == verify_audit(records) == []
    assert verify_audit(records[2:], ChainEnd(2, records[1].hash)) == []


def test_an_entry_has_the_same_hash_when_it_is_read_back() -> None:
    """A limit of 3 comes back as 3.0, and a set's members in any order."""
    routing = RoutePolicy(request_class=RequestClass.BATCH, data_zones=frozenset({"eu", "us", "x"}))
    limits = (LimitRule(LimitName.RPM, 3),)
    entry = TenantEntry("t", limits=limits, tags={"b": "1", "a": "2"}, routing=routing)
    read_back = msgspec.json.decode(msgspec.json.encode(entry), type=TenantEntry)
    assert entry_hash(entry) == entry_hash(read_back)
    shuffled = replace(routing, data_zones=frozenset(["x", "us", "eu"]))
    assert entry_hash(entry) == entry_hash(replace(entry, routing=shuffled))
    assert entry_hash(entry) != entry_hash(replace(entry, routing=ANYWHERE))
    assert read_back.routing == routing


def test_an_entry_without_a_policy_may_go_anywhere() -> None:
    """As it was kept before there were any."""
    assert msgspec.json.decode(b'{"name":"t"}', type=TenantEntry).routing == ANYWHERE


FORGERIES: dict[str, Any] = {
    "number": 9, "at": 8.0, "actor": "nobody", "role": Role.VIEWER, "request_id": "other",
    "kind": EntryKind.KEY, "id": "other", "action": "deleted", "before": "0", "after": "0",
    "previous": "0", "hash": "0",
}  # fmt: skip


@pytest.mark.parametrize("member", AuditRecord.__dataclass_fields__)
@pytest.mark.parametrize("place", range(4))
def test_altering_anything_anywhere_is_found(member: str, place: int) -> None:
    """Each member of each record."""
    records = log()
    records[place] = replace(records[place], **{member: FORGERIES[member]})
    assert verify_audit(records)


def test_a_forged_record_with_a_fresh_hash_is_found_by_the_next() -> None:
    """Its own hash is right, and it is not what the next one follows."""
    records = log()
    step = Step(replace(CHANGE, id="other"), BEFORE, AFTER)
    forged = chained([step], ChainEnd(1, records[0].hash), actor=ANNA, at=7.0)
    records[1] = next(forged)
    assert verify_audit(records) == ["record 3: does not follow from record 2"]


@given(order=st.permutations(range(4)), kept=st.integers(1, 4))
def test_dropping_or_moving_records_is_found(order: list[int], kept: int) -> None:
    """Unless what is left is the beginning of the log, in order."""
    records = log()
    left = [records[place] for place in order[:kept]]
    assert (verify_audit(left) == []) == (left == records[:kept])


def test_what_is_missing_is_counted() -> None:
    """At the beginning as in the middle."""
    records = log()
    assert verify_audit([records[2]]) == ["record 3: the 2 before it are missing"]
    assert verify_audit([records[0], records[0]]) == ["record 1: comes after record 1"]
