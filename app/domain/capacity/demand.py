"""What a request will ask of a deployment, as far as it is known before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.capacity.shares import Claim


@dataclass(frozen=True, slots=True)
class Demand:
    """Tokens: of the prompt, of those the cached ones, and of all choices of the answer."""

    prompt: int
    output: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """A demand, and in whose name it is made."""

    claim: Claim
    demand: Demand
