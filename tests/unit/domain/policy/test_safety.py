"""What is sent to a classifier of content: whose texts, in pieces, nothing left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.policy.asked import Passage
from app.domain.policy.rules import Failure, Role, SafetyRule
from app.domain.policy.safety import MOST_CHARS, OVERLAP, texts_of

RULE = SafetyRule(Failure.OPEN, hate=1)


def test_texts_of_people_and_of_tools_are_apart() -> None:
    """Of the roles that are named; those of one kind together."""
    passages = [
        Passage(Role.SYSTEM, "messages[0]", b"rules"),
        Passage(Role.USER, "messages[1]", b"one"),
        Passage(Role.TOOL, "messages[2]", b"page"),
        Passage(Role.USER, "messages[3]", b"two"),
    ]
    found = texts_of(RULE, passages)
    assert (found.prompts, found.documents) == (("one\ntwo",), ("page",))
    assert texts_of(RULE, [Passage(Role.USER, "input", b"  \n")]).chars == 0


@given(length=st.integers(0, 45_000), at=st.floats(0, 1))
def test_a_word_is_whole_in_some_piece_wherever_it_stands(length: int, at: float) -> None:
    """Pieces are as long as one call takes, and overlap."""
    word = "w" * OVERLAP
    text = "ä" * int(length * at) + word + "ä" * (length - int(length * at))
    pieces = texts_of(RULE, [Passage(Role.USER, "input", text.encode())]).prompts
    assert all(len(piece) <= MOST_CHARS for piece in pieces)
    assert any(word in piece for piece in pieces)
    assert len(pieces) <= length // (MOST_CHARS - OVERLAP) + 1
