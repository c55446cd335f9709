"""Log probabilities in the two shapes that completions have; the numbers mean nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]

_LIKELY: Final = -0.105


def chat_logprobs(pieces: Sequence[str], top: int) -> Json:
    """For chat: one object per token, each with its `top` alternatives."""
    return {"content": [token_logprob(piece, top) for piece in pieces], "refusal": None}


def legacy_logprobs(pieces: Sequence[str], top: int, *, offset: int = 0) -> Json:
    """For legacy completions: parallel lists; `offset` is where the first piece begins."""
    offsets = []
    for piece in pieces:
        offsets.append(offset)
        offset += len(piece)
    alternatives = [dict(_alternatives(piece, top)) for piece in pieces]
    return {
        "tokens": list(pieces),
        "token_logprobs": [_LIKELY] * len(pieces),
        "top_logprobs": alternatives if top else None,
        "text_offset": offsets,
    }


def token_logprob(piece: str, top: int) -> Json:
    """One token with its alternatives, as chat and responses tell it."""
    alternatives = [_entry(token, logprob) for token, logprob in _alternatives(piece, top)]
    return {**_entry(piece, _LIKELY), "top_logprobs": alternatives}


def _entry(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _alternatives(piece: str, top: int) -> list[tuple[str, float]]:
    others = [(f"{piece}{rank}", _LIKELY - 2.0 * rank) for rank in range(1, top)]
    return [(piece, _LIKELY), *others] if top else []
