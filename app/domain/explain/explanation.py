"""One request explained afterwards: who could serve it, who was asked, what it took and cost.

It is made of the receipt alone and holds ids and counts, no word of what was asked or answered.
Durations are seconds, moments in them are counted from the request's arrival, and 1.0 of a
utilisation is all of a deployment's capacity.
"""

from __future__ import annotations

import msgspec

from app.domain.cache.outcome import CacheResult
from app.domain.call.request import Operation
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome
from app.domain.policy.findings import PolicyKind
from app.domain.policy.rules import Action
from app.domain.quota.limit import LimitName, Mode
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.throttle import ThrottleClass


class _Part(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Defaults are not written: most are not worth a word."""


class CandidateRecord(_Part, frozen=True):
    """One that was to be asked; they are in that order."""

    deployment: str
    tier: int
    predicted_utilization: float | None = None  # None: nothing was known of it
    weight: float | None = None  # in its tier; None: it was not drawn by weight
    expected_wait_s: float = 0.0  # of two drawn by weight the one with less goes first
    is_warm: bool = False  # its cache may know the prompt: it goes first while that is worth it


class SkipRecord(_Part, frozen=True):
    """One that was not asked, and why.

    `wait_s` is how much longer that would have held when it was decided; None: for good.
    """

    deployment: str
    tier: int
    reason: SpillReason
    wait_s: float | None = None
    predicted_utilization: float | None = None
    at_its_turn: bool = False  # it was a candidate, and found wanting when its turn came


class AttemptRecord(_Part, frozen=True):
    """One that was asked. `status` None: no answer came."""

    deployment: str
    tier: int
    verdict: Verdict
    began_s: float
    took_s: float
    kind: Kind | None = None
    status: int | None = None
    code: str | None = None
    throttle: ThrottleClass | None = None
    retry_after_s: float | None = None
    actual_utilization: float | None = None  # as its answer told
    upstream_request_id: str | None = None
    native_spillover_from: str | None = None


class LimitRecord(_Part, frozen=True):
    """A limit that was asked; in its own measure: requests, tokens or nano-dollars."""

    name: LimitName
    scope: str
    amount: int
    left: int | None = None  # with this request taken; None: nobody could tell
    mode: Mode = Mode.HARD
    is_over: bool = False  # a soft or shadow limit that it went over


class ReservedRecord(_Part, frozen=True):
    """What was taken from the tenant's account before it ran."""

    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0
    limits: tuple[LimitRecord, ...] = ()
    degraded: str | None = None  # the policy in force while the account was out of reach


class SettledRecord(_Part, frozen=True):
    """What was charged in its place; `cached_input` is part of input, `reasoning` of output."""

    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning: int = 0
    nano_usd: int = 0


class CachedRecord(_Part, frozen=True):
    """What the cache did. `source` is the request that the answer was made for."""

    result: CacheResult
    reason: str = ""
    fingerprint: str = ""
    source: str | None = None
    age_s: float | None = None
    distance: float | None = None
    would_hit: bool = False
    saved_nano_usd: int = 0
    saved_s: float = 0.0


class LoadRecord(_Part, frozen=True):
    """What it was expected to ask of a deployment: tokens, and with which weight."""

    prompt: int
    output: int
    cached: int = 0
    request_class: str = "standard"


class PolicyRecord(_Part, frozen=True):
    """A rule of its tenant's input policy that the request broke."""

    kind: PolicyKind
    name: str
    action: Action
    field: str = ""


class Explanation(_Part, frozen=True):
    """The record of one request; `at` is its arrival in Unix time."""

    request_id: str
    at: float
    duration_s: float
    outcome: Outcome
    tenant: str
    spill: SpillReason = SpillReason.NONE
    status: int | None = None
    error: str | None = None
    operation: Operation | None = None
    stream: bool = False
    key_id: str | None = None
    model: str | None = None
    deployment: str | None = None
    deployment_kind: Kind | None = None
    time_to_first_token_s: float | None = None
    cache: CachedRecord | None = None  # None: no cache is on for it
    load: LoadRecord | None = None
    last_resort: bool = False  # nobody was expected to have room: all were asked in the end
    candidates: tuple[CandidateRecord, ...] = ()
    skipped: tuple[SkipRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    reserved: ReservedRecord | None = None
    settled: SettledRecord | None = None
    flags: tuple[str, ...] = ()
    policies: tuple[PolicyRecord, ...] = ()
    errand: str = ""  # what the gateway itself asked it for; empty: it was a caller's
