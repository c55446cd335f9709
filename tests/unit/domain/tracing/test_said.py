"""What an answer says, as it is sent to where others read it."""

from __future__ import annotations

import pytest

from app.domain.tracing.said import NOTHING_SAID, AnswerFacts, Content, Said, rewritten

FACTS = AnswerFacts("an id", "a model", ("stop", "length"))


@pytest.mark.parametrize("content", [None, Content("a prompt", "an answer")])
def test_every_text_is_rewritten(content: Content | None) -> None:
    """None is passed over, and where there was no content there is none."""
    found = rewritten(Said(FACTS, content), str.upper)
    assert found.facts == AnswerFacts("AN ID", "A MODEL", ("STOP", "LENGTH"))
    assert found.content == (content and Content("A PROMPT", "AN ANSWER"))


def test_what_is_no_secret_stays() -> None:
    """Also where nothing was said at all."""
    for said in (NOTHING_SAID, Said(FACTS, Content("a", "b"))):
        assert rewritten(said, str) == said
