"""Why a deployment refused with 429, and what follows from it for the next requests.

Azure's 429s share a status and mean different things (quota page, 2026-05; provisioned throughput
page, 2026-02; recorded answers of 2025 and 2026). Only what a verdict calls throttled comes here,
also from inside a 200 stream, so the status decides nothing any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.domain.routing.deployment import Kind

_PEAK_CODE: Final = "no_capacity"
_PEAK_TEXTS: Final = (
    "maximum usage size allowed",
    "peak load",
    "high demand",
    "temporarily unable to process",
)
_CALLS_TEXTS: Final = ("call rate limit", "requests per")
_COUNT: Final = re.compile("[0-9]{1,15}")
_CALLS_POLICY: Final = "deploymentratelimit-call"


class ThrottleClass(StrEnum):
    """Why a deployment refused."""

    TOKENS = "tokens"  # the quota's tokens per minute
    CALLS = "calls"  # the quota's requests per minute
    LOWERED = "lowered"  # tokens per minute, of which Azure allows fewer than configured for now
    PROVISIONED = "provisioned"  # a PTU is over 100 %
    PEAK_LOAD = "peak_load"  # Azure itself is full: not a matter of quota


#: Those that a deployment of a kind can have.
REASONS: Final[Mapping[Kind, frozenset[ThrottleClass]]] = {
    Kind.PTU: frozenset({ThrottleClass.PROVISIONED}),
    Kind.PAYGO: frozenset(ThrottleClass) - {ThrottleClass.PROVISIONED},
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a throttled answer says. Header names are lower case; `tpm` is the configured one."""

    kind: Kind
    code: str | None = None
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    tpm: int | None = None


@dataclass(frozen=True, slots=True)
class Consequence:
    """How to hold a deployment that refused for a reason; times in seconds.

    It is held for as long as it asked for, at most `longest_s`. Where it said nothing, for
    `unsaid_s`, doubled by each refusal in a row. With `by_size` only requests at least as large as
    the refused one are held.
    """

    longest_s: float = 300.0
    unsaid_s: float = 1.0
    by_size: bool = False


#: A PTU tells exactly when it is below 100 % again, and a quota when its counter begins anew: until
#: then every request is refused, and refused ones count, so all are held. Under peak load Azure
#: refuses by "usage size" and asks to wait for some 20 s: a smaller request may pass, and each that
#: does not narrows what is tried. No counter stands behind the time, so it is taken for a minute at
#: most; where none is said, more than for a counter, because a peak outlasts a second.
CONSEQUENCES: Final[Mapping[ThrottleClass, Consequence]] = {
    ThrottleClass.TOKENS: Consequence(),
    ThrottleClass.CALLS: Consequence(),
    ThrottleClass.LOWERED: Consequence(),
    ThrottleClass.PROVISIONED: Consequence(),
    ThrottleClass.PEAK_LOAD: Consequence(longest_s=60.0, unsaid_s=5.0, by_size=True),
}


def classify(refusal: Refusal) -> ThrottleClass:
    """The reason for a 429. Total: what says nothing is a full PTU or a used-up token quota."""
    if refusal.kind is Kind.PTU:
        # Its capacity is its own: whatever the words, it refuses because it is full.
        return ThrottleClass.PROVISIONED
    message = refusal.message.lower()
    if refusal.code == _PEAK_CODE or any(text in message for text in _PEAK_TEXTS):
        return ThrottleClass.PEAK_LOAD
    if _is_about_calls(refusal.headers, message):
        return ThrottleClass.CALLS
    limit = told_tpm(refusal.headers)
    if limit is not None and refusal.tpm is not None and limit < refusal.tpm:
        return ThrottleClass.LOWERED
    return ThrottleClass.TOKENS


def told_tpm(headers: Mapping[str, str]) -> int | None:
    """Tokens per minute that Azure grants at present; None where it says nothing usable.

    -1 has been seen where Azure did not know (Responses API, 2025-11).
    """
    text = headers.get("x-ratelimit-limit-tokens", "")
    return int(text) if _COUNT.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class SizeHold:
    """Requests of `least` tokens and more are held until a time; smaller ones may pass."""

    least: float
    until: float

    def covers(self, tokens: float, now: float) -> bool:
        """Whether a request of so many tokens must not be asked now."""
        return now < self.until and tokens >= self.least

    def tightened(self, tokens: float, until: float, now: float) -> SizeHold:
        """After one more refusal: the smallest size and the latest end that are known now."""
        if now >= self.until:
            return SizeHold(tokens, until)
        return SizeHold(min(self.least, tokens), max(self.until, until))


def _is_about_calls(headers: Mapping[str, str], message: str) -> bool:
    """Azure's own name of the limit, where it is given, over the words."""
    policy = headers.get("policy-id", "").lower()
    if policy.startswith("deploymentratelimit-"):
        return policy == _CALLS_POLICY
    return any(text in message for text in _CALLS_TEXTS)
