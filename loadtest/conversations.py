"""What users ask: request bodies, each drawn by a generator of random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from loadtest.zipf import Zipf

Json = dict[str, Any]

_WORDS: Final = (
    *("time", "people", "water", "house", "world", "place", "work", "night", "town", "river"),
    *("road", "light", "music", "letter", "market", "garden", "winter", "school", "doctor"),
    *("window", "island", "story", "bridge", "engine", "paper", "forest", "summer", "coffee"),
)
_ASKS: Final = (
    "Explain how {} and {} go together.",
    "What should I know about {} before I go to {}?",
    "Write a short note about {} for a friend of {}.",
    "Compare {} with {}.",
)
_TOOL: Final[Json] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks a word up.",
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string"}},
            "required": ["word"],
        },
    },
}
#: Questions that many users ask, whichever user asks.
_COMMON: Final = tuple(f"What does rule {number} of the handbook say?" for number in range(500))


def question(rng: Random) -> str:
    """A short question that hardly anybody asks twice."""
    asked = rng.choice(_ASKS).format(rng.choice(_WORDS), rng.choice(_WORDS))
    return f"{asked} My number is {rng.getrandbits(32)}."


def long_text(rng: Random, words: int) -> str:
    """A document of that many words, none like another."""
    text = " ".join(rng.choices(_WORDS, k=words))
    return f"[{rng.getrandbits(64):016x}] {text}"


@dataclass(frozen=True, slots=True)
class Asking:
    """Bodies for one model; answers have at most so many tokens."""

    model: str
    max_tokens: int = 60

    def stream(self, messages: list[Json], **more: Any) -> Json:
        """A chat stream that tells its usage."""
        usage = {"include_usage": True}
        return {**self.whole(messages, **more), "stream": True, "stream_options": usage}

    def whole(self, messages: list[Json], **more: Any) -> Json:
        """A chat completion in one piece."""
        return {"model": self.model, "messages": messages, "max_tokens": self.max_tokens, **more}

    def chat(self, rng: Random) -> Json:
        """A question."""
        return self.stream([user(question(rng))])

    def long_prompt(self, rng: Random) -> Json:
        """A question about a document of 1,500 to 6,000 words."""
        document = long_text(rng, rng.randint(1500, 6000))
        return self.stream([user(f"{document}\n\nSum this up.")])

    def repeated(self, rng: Random, popularity: Zipf) -> Json:
        """A question that others ask as well, some of them far more often than others."""
        return self.stream([user(_COMMON[popularity.draw(rng)])], temperature=0)


COMMON_QUESTIONS: Final = len(_COMMON)


class Agent:
    """A conversation with a tool: it asks, the model calls, the result goes back, it answers."""

    def __init__(self, asking: Asking, rng: Random) -> None:
        """It begins with a question."""
        self._asking = asking
        system = {"role": "system", "content": "You look words up before you answer."}
        self._messages: list[Json] = [system, user(question(rng))]

    def calls_tool(self) -> Json:
        """The body of a turn in which the model has to call the tool."""
        return self._asking.whole(self._messages, tools=[_TOOL], tool_choice="required")

    def called(self, message: Json) -> None:
        """The model's message with its calls; each gets a result. Raises ValueError for none."""
        calls = message.get("tool_calls") or []
        if not calls:
            raise ValueError("the model called no tool")
        self._messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        results = [{"tool_call_id": each["id"], "content": "It is in the book."} for each in calls]
        self._messages += [{"role": "tool", **each} for each in results]

    def answers(self) -> Json:
        """The body of the turn in which it answers, as a stream."""
        return self._asking.stream(self._messages, tools=[_TOOL], tool_choice="none")


def embedding(model: str, rng: Random) -> Json:
    """Some texts to embed at once."""
    return {"model": model, "input": [question(rng) for _ in range(rng.randint(1, 8))]}


def user(text: str) -> Json:
    """What a user says."""
    return {"role": "user", "content": text}
