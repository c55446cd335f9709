"""What is kept of a request until somebody asks about it."""

from __future__ import annotations

import math

from app.domain.cache.outcome import CacheRecord, CacheResult
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explained import explained
from app.domain.explain.explanation import Explanation, LimitRecord, SkipRecord
from app.domain.explain.kept import Packing, unpacked
from app.domain.ledger.completion import Receipt
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.policy.rules import Action
from app.domain.quota.limit import Kind, Limit, LimitName, Measure
from app.domain.routing.route import Absence, Candidate
from tests.fakes.changed import replace
from tests.fakes.receipts import plan, reservation, served

RPM = Limit(LimitName.RPM, "tenant", Kind.WINDOW, Measure.REQUESTS, 600, window_ms=60_000)
TPM = Limit(LimitName.TPM, "tenant", Kind.WINDOW, Measure.TOKENS, 10_000, window_ms=60_000)


def read_back(receipt: Receipt) -> Explanation:
    return explained(unpacked(Packing().packed(receipt)))


def test_what_waits_for_ever_is_read_back() -> None:
    """Numbers that JSON has no word for are kept as well."""
    absences = (
        Absence("eu", 1, SpillReason.POLICY, math.inf),
        Absence("ptu", 0, SpillReason.HELD, 102.01),
    )
    found = read_back(served(plan=plan(absences=absences)))
    assert found.skipped == (
        SkipRecord("eu", 1, SpillReason.POLICY),
        SkipRecord("ptu", 0, SpillReason.HELD, 2.0),
    )


def test_what_the_cache_did_is_read_back() -> None:
    """None where no cache is on."""
    record = CacheRecord(CacheResult.SEMANTIC, "", "ab", "req-0", age_s=1.5, distance=0.01234)
    found = read_back(served(cache=record)).cache
    assert found is not None
    assert (found.result, found.source, found.age_s, found.distance) == (
        CacheResult.SEMANTIC, "req-0", 1.5, 0.0123,
    )  # fmt: skip
    assert read_back(served()).cache is None


def test_limits_are_told_with_what_was_left_of_them() -> None:
    """Requests of one key have the same ones, with other numbers left."""
    packing, limits = Packing(), (RPM, TPM)
    for left in ((500, 1000), (499, 900), ()):
        granted = reservation(*limits, left=left)
        kept = explained(unpacked(packing.packed(served(reservation=granted))))
        assert kept.reserved is not None
        assert kept.reserved.limits == tuple(
            LimitRecord(limit.name, "tenant", limit.amount, left[number] if left else None)
            for number, limit in enumerate(limits)
        )


def test_a_limit_of_any_size_can_be_kept() -> None:
    """A config that wants none may say 10^20."""
    granted = reservation(replace(TPM, amount=10**20), left=(5,))
    kept = read_back(served(reservation=granted))
    assert kept.reserved is not None
    (limit,) = kept.reserved.limits
    assert (limit.amount, limit.left) == (2**63 - 1, 5)


def test_no_word_of_the_request_is_kept() -> None:
    """Nor the address of who asked; a parameter's name is the caller's own."""
    findings = (
        Finding(PolicyKind.PARAMETER, "parameters", Action.FLAG, "my_own_word", "why it says"),
        Finding(PolicyKind.PATTERN, "card-number", Action.FLAG, "messages[0]", "why it says"),
    )
    receipt = served(findings=findings, client="192.0.2.7")
    packed = Packing().packed(receipt)
    for word in (b"my_own_word", b"why it says", b"192.0.2.7"):
        assert word not in packed
    assert [each.field for each in read_back(receipt).policies] == ["", "messages[0]"]


def test_one_takes_no_more_room_than_is_written() -> None:
    """docs/routing.md says how much."""
    candidates = tuple(Candidate(f"deployment-{tier}", tier, 0.123456, 9.0) for tier in range(3))
    granted = reservation(RPM, TPM, left=(500, 1000))
    packed = Packing().packed(
        served(plan=replace(plan(), candidates=candidates), reservation=granted)
    )
    assert len(packed) < 1500
