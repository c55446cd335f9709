"""Makes the model's answers: the same for the same request and seed, whether streamed or not."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Final, Literal

from app.simulator.ask import Ask
from app.simulator.prompt import Prompt
from app.simulator.schema_values import value_for
from app.simulator.words import prose

Pieces = Callable[[str], list[str]]

# Without a cap: the median answer and the spread of a lognormal around it.
_USUAL_TOKENS: Final = 120
_USUAL_SPREAD: Final = 0.6
_FEWEST_TOKENS: Final = 8
_MOST_TOKENS: Final = 800
_REASONING_PART: Final = 0.3


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice: its text in pieces of one token, after `reasoning` tokens that nobody sees."""

    pieces: Sequence[str]
    reasoning: int
    finish: Literal["stop", "length", "tool_calls"]
    call: str | None = None
    """The function called, in which case the text is its arguments."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        return self.reasoning + len(self.pieces)


@dataclass(frozen=True, slots=True)
class Author:
    """Writes the answers of one base model."""

    model: str
    pieces: Pieces
    """Cuts ASCII text where tokens meet."""
    seed: int

    def answers(self, ask: Ask, *, room: int) -> list[Answer]:
        """All choices, those of the first prompt first; `room` is what the context leaves."""
        return [
            self._answer(ask, self.rng(ask, prompt, index), room)
            for prompt in ask.prompts
            for index in range(ask.n)
        ]

    def rng(self, ask: Ask, prompt: Prompt, index: int) -> Random:
        """Randomness that only the request and the seed decide."""
        digest = blake2b(array("q", prompt.tokens).tobytes(), digest_size=16)
        digest.update(f"{self.seed}|{self.model}|{ask.cap}|{ask.seed}|{index}".encode())
        return Random(digest.digest())

    def _answer(self, ask: Ask, rng: Random, room: int) -> Answer:
        cap = min(ask.cap or room, room)
        drawn = _draw(ask.cap, cap, rng)
        if ask.call is not None:
            arguments = _as_json(value_for(ask.call.parameters, rng))
            return self._bounded(arguments, cap, call=ask.call.name)
        if ask.schema is not None:
            return self._bounded(_as_json(value_for(ask.schema, rng)), cap)
        reasoning = int(drawn * _REASONING_PART) if ask.reasons and reasons(self.model) else 0
        pieces = prose(drawn - reasoning, rng)
        cut = _before_stop("".join(pieces), ask.stop)
        if cut is not None:
            return Answer(self.pieces(cut), reasoning, "stop")
        return Answer(pieces, reasoning, "length" if drawn == cap else "stop")

    def _bounded(self, text: str, cap: int, *, call: str | None = None) -> Answer:
        pieces = self.pieces(text)
        if len(pieces) > cap:
            return Answer(pieces[:cap], 0, "length", call)
        return Answer(pieces, 0, "tool_calls" if call else "stop", call)


def reasons(model: str) -> bool:
    """Whether the model thinks before it answers."""
    return model.startswith(("o1", "o3", "o4", "gpt-5", "gpt-6"))


def _draw(asked: int | None, cap: int, rng: Random) -> int:
    """Between a quarter and all of the cap; a usual length where none was asked for."""
    if asked is not None:
        return rng.randint(-(-cap // 4), cap)
    usual = round(_USUAL_TOKENS * rng.lognormvariate(0, _USUAL_SPREAD))
    return min(cap, max(_FEWEST_TOKENS, min(_MOST_TOKENS, usual)))


def _before_stop(text: str, stop: Sequence[str]) -> str | None:
    """What comes before the first stop sequence; None when there is none."""
    found = [at for each in stop if each and (at := text.find(each)) >= 0]
    return text[: min(found)] if found else None


def _as_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)
