"""The true world of a comparison: a provisioned deployment, and pay-as-you-go capacity behind it.

Azure: provisioned throughput concept page, section "Utilization-based request evaluation", 2026-02;
prompt caching how-to, 2026-03. Routers see of this what Azure's answers tell them, and no more: the
implementation is its own, so that a router's idea of a bucket is never measured by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.planner.traffic import Request

#: Azure caches prefixes of at least 1,024 tokens, in steps of 128.
_LEAST_CACHED: Final = 1024
_CACHED_STEP: Final = 128
_CACHE_KEEPS_S: Final = 600.0
_CACHE_SWEPT_AT: Final = 20_000
_MILLISECOND: Final = 0.001


@dataclass(frozen=True, slots=True)
class PtuFacts:
    """What a provisioned deployment really is, whatever a router was told about it."""

    tokens_per_s: float
    depth_s: float = 60.0
    output_ratio: float = 4.0
    cached_weight: float = 0.0
    tells_utilization: bool = True
    whole_seconds: bool = False
    """The time to wait comes as `retry-after` alone, not as `retry-after-ms`."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast answers come; seconds."""

    first_token_s: float = 0.25
    per_prompt_token_s: float = 0.00005
    per_output_token_s: float = 0.015

    def takes(self, uncached: int, output: int) -> float:
        read = self.first_token_s + uncached * self.per_prompt_token_s
        return read + output * self.per_output_token_s


class Job(NamedTuple):
    """An admitted request: the cached part of its prompt, and what was taken for it."""

    request: Request
    cached: int
    taken: float


class PromptCache:
    """Which prefix of each conversation a deployment has seen in the last ten minutes."""

    __slots__ = ("_seen", "_swept_at")

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, float]] = {}
        self._swept_at = _CACHE_SWEPT_AT

    def __len__(self) -> int:
        return len(self._seen)

    def read(self, request: Request, now: float) -> int:
        """Cached tokens of this prompt; the whole prompt is cached from now on."""
        cached = self.finds(request, now)
        self._seen[request.conversation] = (request.prompt, now)
        if len(self._seen) > self._swept_at:
            self._sweep(now)
        return cached

    def finds(self, request: Request, now: float) -> int:
        """Cached tokens of this prompt, which nobody reads."""
        seen, at = self._seen.get(request.conversation, (0, now))
        shared = min(request.prefix, seen)
        if shared < _LEAST_CACHED or now - at > _CACHE_KEEPS_S:
            return 0
        return shared - shared % _CACHED_STEP

    def _sweep(self, now: float) -> None:
        self._seen = {
            conversation: entry
            for conversation, entry in self._seen.items()
            if now - entry[1] <= _CACHE_KEEPS_S
        }
        self._swept_at = max(_CACHE_SWEPT_AT, 2 * len(self._seen))


class Ptu:
    """A bucket that drains all the time and takes requests while it is at most full.

    Amounts are input tokens, times seconds that never go backwards. At any time what was taken,
    corrections included, is what drained plus what is left, less `forfeited`: tokens given back
    that had drained already, as an estimate that was too high does in an empty bucket.
    """

    def __init__(self, facts: PtuFacts) -> None:
        self._facts = facts
        self._depth = facts.tokens_per_s * facts.depth_s
        self._mean_output = 256.0  # Azure learns what to expect where there is no cap
        self._at = 0.0
        self._cache = PromptCache()
        self.level = 0.0
        self.drained = 0.0
        self.forfeited = 0.0

    @property
    def used(self) -> float:
        """Tokens of real work that have drained; overestimates are not work."""
        return self.drained - self.forfeited

    def wait(self, now: float) -> float:
        """Seconds until a request is admitted, 0 if it is now."""
        return max(0.0, self.over(now))

    def over(self, now: float) -> float:
        """Seconds of capacity that it is over its depth; below zero, that there are left."""
        self._drain(now)
        return (self.level - self._depth) / self._facts.tokens_per_s

    def adds(self, request: Request, now: float) -> float:
        """Seconds of capacity that a request takes if it is admitted."""
        cached = self._cache.finds(request, now)
        return self._estimate(request, cached) / self._facts.tokens_per_s

    def offer(self, request: Request, now: float) -> Job | None:
        """Admit it, or None: `retry_after` then says for how long."""
        if self.wait(now) > 0:
            return None
        cached = self._cache.read(request, now)
        job = Job(request, cached, self._estimate(request, cached))
        self.level += job.taken
        return job

    def complete(self, job: Job, output: int, now: float) -> None:
        """Put what was really used in place of what was taken."""
        self._drain(now)
        used = self._weigh(job.request.prompt, job.cached, output)
        self.level += used - job.taken
        if self.level < 0:
            self.forfeited -= self.level
            self.level = 0.0
        self._mean_output += 0.1 * (output - self._mean_output)

    def weight(self, job: Job, output: int) -> float:
        """What a request weighs that had an answer of this length."""
        return self._weigh(job.request.prompt, job.cached, output)

    def retry_after(self, now: float) -> float:
        """What a refusal says, seconds: rounded up, so that who waits as long is admitted."""
        wait = self.wait(now)
        if self._facts.whole_seconds:
            return max(1.0, math.ceil(wait))
        return max(1, math.ceil(wait / _MILLISECOND)) * _MILLISECOND

    def utilization(self, now: float) -> float | None:
        """What the header says, 1.0 being full, to a tenth of a percent; None without one."""
        if not self._facts.tells_utilization:
            return None
        self._drain(now)
        return round(self.level / self._depth, 3)

    def _estimate(self, request: Request, cached: int) -> float:
        output = self._mean_output if request.cap is None else request.cap
        return self._weigh(request.prompt, cached, output)

    def _weigh(self, prompt: int, cached: int, output: float) -> float:
        return (
            prompt - cached * (1.0 - self._facts.cached_weight) + self._facts.output_ratio * output
        )

    def _drain(self, now: float) -> None:
        level = self.level
        flow = min(level, self._facts.tokens_per_s * (now - self._at))
        self.level = level - flow
        self.drained += flow
        self._at = now


class Paygo:
    """Capacity that is never short, and paid for by the token; it keeps the bill's sums."""

    def __init__(self) -> None:
        self._cache = PromptCache()
        self.input = 0
        self.cached = 0
        self.output = 0

    def serve(self, request: Request, output: int, now: float) -> int:
        """Run it; the cached tokens of its prompt."""
        cached = self._cache.read(request, now)
        self.input += request.prompt
        self.cached += cached
        self.output += output
        return cached
