"""Tokens that a request used."""

from __future__ import annotations

from typing import Final

import msgspec

#: Of what was relayed and nobody counted. Text alone has about four; of a stream's bytes most are
#: its frames, so this is an upper bound.
BYTES_PER_TOKEN: Final = 4


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the upstream counted them; `cached` is part of input, `reasoning` of output."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
