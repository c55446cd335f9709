"""What a request will ask of a deployment, as far as it is known before it runs."""

from __future__ import annotations

import msgspec

from app.domain.capacity.shares import Claim


class Demand(msgspec.Struct, frozen=True, gc=False):
    """Tokens: of the prompt, of those the cached ones, and of all choices of the answer."""

    prompt: int
    output: int
    cached: int = 0


class Load(msgspec.Struct, frozen=True, gc=False):
    """A demand, and in whose name it is made."""

    claim: Claim
    demand: Demand
