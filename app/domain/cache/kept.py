"""Answers that are kept, as those see them who look after them: which, how many, how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.domain.cache.entry import Question
from app.domain.call.request import Operation

#: Characters of a prompt that are kept where the answer cannot be found by meaning, so that
#: whoever looks after the cache recognises it. A prefix to select by has at most as many.
PROMPT_BEGINNING: Final = 500


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """One answer, without its body. `size` is its bytes in the store, times are Unix seconds."""

    fingerprint: bytes
    request_id: str
    model: str
    operation: Operation
    stored_at: float
    expires_at: float
    size: int
    by_meaning: bool  # whether it can be found by meaning
    prompt: str  # its beginning


@dataclass(frozen=True, slots=True)
class KeptPage:
    """Some of a tenant's answers; `cursor` leads to the next page, empty where there is none."""

    answers: tuple[KeptAnswer, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class KeptTotals:
    """How many answers of a tenant are kept, and their bytes in the store."""

    answers: int
    size: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a tenant's answers; what is None does not matter, so this alone is all of them."""

    fingerprint: bytes | None = None
    request_id: str | None = None
    model: str | None = None
    prompt_prefix: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a prefix that is longer than what is kept of every prompt."""
        if self.prompt_prefix is not None and len(self.prompt_prefix) > PROMPT_BEGINNING:
            msg = f"prompt_prefix: has more than {PROMPT_BEGINNING} characters"
            raise ValueError(msg)

    @property
    def is_all(self) -> bool:
        """Whether every answer is selected."""
        return self == Selection()

    def has(self, answer: KeptAnswer) -> bool:
        """Whether this one is among them."""
        return (
            self.fingerprint in {None, answer.fingerprint}
            and self.request_id in {None, answer.request_id}
            and self.model in {None, answer.model}
            and answer.prompt.startswith(self.prompt_prefix or "")
        )


def prompt_beginning(question: Question) -> str:
    """As much of a prompt as is always kept."""
    return question.prompt[:PROMPT_BEGINNING]
