"""Which of a tenant's answers are selected."""

from __future__ import annotations

import pytest

from app.domain.cache.entry import Question
from app.domain.cache.kept import PROMPT_BEGINNING, KeptAnswer, Selection, prompt_beginning
from app.domain.call.request import Operation

ANSWER = KeptAnswer(
    fingerprint=b"f" * 16,
    request_id="req_1",
    model="gpt-4o",
    operation=Operation.CHAT_COMPLETIONS,
    stored_at=1000.0,
    expires_at=4600.0,
    size=2000,
    by_meaning=True,
    prompt="Summarise this",
)


def test_nothing_said_is_all() -> None:
    """Only a selection that says nothing is everything; one that says an empty prefix says that."""
    assert Selection().is_all
    assert Selection().has(ANSWER)
    assert not Selection(prompt_prefix="").is_all
    assert not Selection(fingerprint=b"").is_all


@pytest.mark.parametrize(
    ("selection", "has"),
    [
        (Selection(fingerprint=b"f" * 16), True),
        (Selection(fingerprint=b"g" * 16), False),
        (Selection(fingerprint=b""), False),
        (Selection(request_id="req_1"), True),
        (Selection(request_id="req"), False),
        (Selection(model="gpt-4o"), True),
        (Selection(model="gpt-4O"), False),
        (Selection(prompt_prefix="Summarise"), True),
        (Selection(prompt_prefix="summarise"), False),
        (Selection(prompt_prefix="Summarise this and that"), False),
        (Selection(model="gpt-4o", request_id="req_1"), True),
        (Selection(model="gpt-4o", request_id="req_2"), False),
    ],
)
def test_all_that_is_said_must_be_so(selection: Selection, has: bool) -> None:  # noqa: FBT001  # a table's column
    """Each part narrows; text is compared as it is."""
    assert selection.has(ANSWER) is has


def test_prompts_are_known_by_their_beginning() -> None:
    """Nothing can be selected by more than what is kept of every prompt."""
    question = Question(b"f" * 16, prompt="x" * 10_000)

    assert prompt_beginning(question) == "x" * PROMPT_BEGINNING
    Selection(prompt_prefix="x" * PROMPT_BEGINNING)
    with pytest.raises(ValueError, match="prompt_prefix"):
        Selection(prompt_prefix="x" * (PROMPT_BEGINNING + 1))
