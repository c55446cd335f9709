"""Which requests are traced: some by their trace's id, others for how they ended.

The first is known before anything is spent on a trace, and is the same on all replicas, for it is
a comparison on the id. The second costs nothing either: the spans are made of the receipt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from app.domain.call.trace import Caller, TraceContext
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt

#: The rightmost 56 bits of a trace id are random (W3C Trace Context, level 2, random flag; the
#: OpenTelemetry specification samples by the same ones).
_RANDOM_DIGITS: Final = 14
_RANDOM: Final = 16**_RANDOM_DIGITS
#: Of which it is remembered where they end: a policy has two.
_RATIOS: Final = 64
#: Of a trace's id and of a span's, which are drawn together. Zero is no id, and never comes.
_ID_BYTES: Final = 24
_TRACE_DIGITS: Final = 32
_FINISHED: Final = Outcome.FINISHED
_NO_SPILL: Final = SpillReason.NONE
#: An HTTPStatus is looked up by a function each time.
_OK: Final = int(HTTPStatus.OK)
_REFUSED: Final = int(HTTPStatus.BAD_REQUEST)


@dataclass(frozen=True, slots=True)
class SamplingPolicy:
    """Ratios are 0 to 1. `most_per_s` bounds each kind that others than us decide about.

    That is: what callers have sampled, and what is kept for its end.
    """

    ratio: float = 0.01  # of requests that begin a trace
    caller_ratio: float = 0.1  # of those whose caller records its part
    errors: bool = True
    spills: bool = True
    slow_s: float = math.inf
    most_per_s: float = 50.0


class Sampler:
    """Decides; `passed_over_total` counts requests that only `most_per_s` kept from being traced.

    Times are on any monotonic clock, in seconds.
    """

    def __init__(self, policy: SamplingPolicy, randomness: Callable[[int], bytes]) -> None:
        """`randomness` draws so many bytes; `policy` may be replaced at any time."""
        self.policy = policy
        self.passed_over_total = 0
        self._randomness = randomness
        self._asked_for = Allowance()
        self._telling = Allowance()

    def begin(self, caller: Caller | None, now: float, *, wanted: bool = False) -> TraceContext:
        """The context of a request that came just now; `wanted`: for one that is recorded."""
        drawn = self._randomness(_ID_BYTES).hex()
        span_id = drawn[_TRACE_DIGITS:]
        if caller is not None:
            return TraceContext(caller.trace_id, span_id, self._follows(caller, now), caller)
        trace_id = drawn[:_TRACE_DIGITS]
        return TraceContext(trace_id, span_id, wanted or is_chosen(trace_id, self.policy.ratio))

    def keeps(self, receipt: Receipt) -> bool:
        """Whether spans of it are to be recorded, now that it is over."""
        trace = receipt.trace
        if trace is None or trace.is_sampled:
            return trace is not None
        if not is_telling(receipt, self.policy):
            return False
        return self._granted(self._telling, receipt.started + receipt.duration)

    def _follows(self, caller: Caller, now: float) -> bool:
        """A caller's word counts, but not for more than it may cost.

        It chooses its ids itself: a ratio of them alone would be no bound.
        """
        is_wanted = caller.is_sampled and is_chosen(caller.trace_id, self.policy.caller_ratio)
        return is_wanted and self._granted(self._asked_for, now)

    def _granted(self, allowance: Allowance, now: float) -> bool:
        if allowance.take(self.policy.most_per_s, now):
            return True
        self.passed_over_total += 1
        return False


class Allowance:
    """So many a second; those of one second may come at once."""

    def __init__(self) -> None:
        """Of one kind, and of one plane."""
        self._left = math.inf
        self._seen = -math.inf

    def take(self, per_s: float, now: float) -> bool:
        """Take one, where one is left; `now` is monotonic, seconds."""
        most = max(1.0, per_s)
        self._left = min(most, self._left + max(0.0, now - self._seen) * per_s)
        self._seen = max(self._seen, now)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def is_chosen(trace_id: str, ratio: float) -> bool:
    """Whether a trace is in this part of all; those of a smaller part are in every larger one."""
    return trace_id[-_RANDOM_DIGITS:] < _first_unchosen(ratio)


@lru_cache(_RATIOS)
def _first_unchosen(ratio: float) -> str:
    """Digits that all ids of this part come before; those of numbers are in their order."""
    first = math.ceil(ratio * _RANDOM)
    return "g" if first >= _RANDOM else f"{first:0{_RANDOM_DIGITS}x}"


def is_telling(receipt: Receipt, policy: SamplingPolicy) -> bool:
    """Whether how it ended is worth a trace by itself."""
    if receipt.duration >= policy.slow_s or (policy.spills and receipt.spill is not _NO_SPILL):
        return True
    if receipt.outcome is _FINISHED and (receipt.status or _OK) < _REFUSED:
        return False  # nearly all
    return policy.errors and is_failure(receipt)


def is_failure(receipt: Receipt) -> bool:
    """Whether it is the gateway's or an upstream's failure, or want of capacity.

    What a caller did wrong, and its own limits, are not: a flood of bad keys would be all that is
    traced.
    """
    if receipt.is_server_error:
        return True
    # A limit refuses before anything is reserved; what is refused later found nobody with room.
    is_refused = receipt.status == HTTPStatus.TOO_MANY_REQUESTS
    return is_refused and receipt.reservation is not None and receipt.error != "insufficient_quota"
