from __future__ import annotations

from typing import Any

import pytest

from app.wire.cache.pieces import pieces_of, tokens_of
from tests.fakes.kept_answers import token_entries


@pytest.mark.parametrize(
    "whole",
    [
        "👩‍💻",  # joined by ZWJ
        "👩🏽‍🚀",  # with a skin tone
        "🇩🇪",
        "❤️",  # with a variation selector
        "e\u0301\u0323",  # with two accents
        "क्षि",  # a conjunct
        "각",  # in three jamo, below
        "\u1100\u1161\u11a8",
        "\u1100\uac00",
        "\r\n",
    ],
)
def test_what_a_reader_sees_as_one_stays_together(whole: str) -> None:
    """In any neighbourhood."""
    for text in (
        whole * 9,
        f"word{whole}word {whole} {whole},{whole}",
        f"ab{whole}cd",
        f"\u65e5{whole}",
        f"\u65e5\u672c{whole}",
        f"-{whole}",
        f"--{whole}",
    ):
        starts = {0}
        for piece in pieces_of(text):
            starts.add(max(starts) + len(piece))
        at = text.find(whole)
        while at >= 0:
            assert not any(at < start < at + len(whole) for start in starts), text
            at = text.find(whole, at + len(whole))


def test_two_flags_may_part() -> None:
    """But no flag is halved, however many there are."""
    for piece in pieces_of("🇩🇪🇫🇷🇳🇴" * 30):
        assert len(piece) % 2 == 0


def test_a_character_without_end_has_one_all_the_same() -> None:
    """Combining marks by the thousand are cut somewhere."""
    assert max(map(len, pieces_of("a" + "\u0301" * 10_000))) < 100


def test_tokens_are_the_pieces_where_they_are_known() -> None:
    """Those that halve a character come together."""
    text = "a€b👩c"
    told = list(tokens_of(text, token_entries(text)))
    assert "".join(piece for piece, _ in told) == text
    assert [entry for _, own in told for entry in own] == token_entries(text)
    assert max(len(own) for _, own in told) > 1


def test_tokens_of_another_text_come_all_at_once() -> None:
    """Nothing of either is lost."""
    entries = token_entries("something else")
    assert list(tokens_of("Hello", entries)) == [("Hello", entries)]


def test_tokens_without_bytes_are_their_strings() -> None:
    """Other servers leave them out."""
    entries: list[dict[str, Any]] = [
        {"token": "Hel", "bytes": None},
        {"token": "lo", "bytes": [999]},
    ]
    assert [piece for piece, _ in tokens_of("Hello", entries)] == ["Hel", "lo"]
