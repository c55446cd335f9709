"""Token counts where no upstream has told any: the prompt before, what was relayed afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from app.domain.call.prompt import tokens_of
from app.domain.call.request import InferenceRequest
from app.domain.call.tokens import TokenCounter
from app.domain.quota.learned import LearnedOutput
from app.ports import Countable
from app.wire.prompt import read_prompt

#: Text up to this many bytes is counted at once: 3 ms at worst (a run of "-").
_INLINE_BYTES: Final = 8 * 1024


class Estimator:
    """Counts as the models do; long texts in a thread."""

    def __init__(self, counter: TokenCounter, learned: LearnedOutput) -> None:
        self._counter = counter
        self.output = learned.output
        self.typical_output = learned.typical_output
        self.observe = learned.observe

    def warm(self, models: Iterable[str]) -> None:
        """Load the vocabularies of base models: about a third of a second each, once."""
        self._counter.warm(models)

    def short_prompt(self, request: InferenceRequest, model: str) -> int | None:
        """Tokens of the input as `model`, a base model, reads it; None: it is long."""
        return self._prompt(request, model) if len(request.body) <= _INLINE_BYTES else None

    async def prompt(self, request: InferenceRequest, model: str) -> int:
        """Tokens of the input, however long it is."""
        short = self.short_prompt(request, model)
        return await asyncio.to_thread(self._prompt, request, model) if short is None else short

    def _prompt(self, request: InferenceRequest, model: str) -> int:
        return tokens_of(read_prompt(request), self._counter.counting(model), model)

    async def relayed(self, text: Countable, model: str) -> int:
        """Tokens of what was relayed of an answer."""
        return await asyncio.to_thread(text.tokens, self._counter.counting(model))
