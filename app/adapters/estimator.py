"""Token counts where no upstream has told any: the prompt before, what was relayed afterwards."""

from __future__ import annotations

import asyncio
from typing import Final

from app.domain.learned import LearnedOutput
from app.domain.request import InferenceRequest
from app.domain.tokens import TokenCounter
from app.ports import Countable

#: Text up to this many bytes is counted at once: 3 ms at worst (a run of "-").
_INLINE_BYTES: Final = 8 * 1024


class Estimator:
    """Counts as the models do; long texts in a thread."""

    def __init__(self, counter: TokenCounter, learned: LearnedOutput) -> None:
        self._counter = counter
        self.output = learned.output
        self.observe = learned.observe

    async def prompt(self, request: InferenceRequest, model: str) -> int:
        """Tokens of the input as `model`, a base model, reads it."""
        text = request.body.decode("utf-8", "replace")
        if len(request.body) <= _INLINE_BYTES:
            return self._counter.count(text, model)
        return await asyncio.to_thread(self._counter.count, text, model)

    async def relayed(self, text: Countable, model: str) -> int:
        """Tokens of what was relayed of an answer."""
        return await asyncio.to_thread(text.tokens, lambda each: self._counter.count(each, model))
