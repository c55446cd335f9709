"""Tokens that a request used."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the upstream counted them; `cached` is part of input, `reasoning` of output."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
