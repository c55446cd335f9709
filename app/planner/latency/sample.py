"""One request that was measured: when its tokens came, or why none did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How a measured request ended."""

    ANSWERED = "answered"
    THROTTLED = "throttled"
    FAILED = "failed"
    LEFT_OUT = "left out"  # not asked any more: none of its warm-up was answered or throttled


@dataclass(frozen=True, slots=True)
class Sample:
    """One request; times are in seconds from when it was sent, and only of what was answered."""

    deployment: str
    ending: Ending
    ttft_s: float | None = None
    """Until the first content; connection and sign-in included where they were still needed."""
    tpot_s: float | None = None
    """Per output token after the first; None of answers of one token."""
    latency_s: float | None = None
    """Until the stream's end."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    why: str = ""
    """Status and code of what was not answered; of what was left out, the last of its warm-up."""
