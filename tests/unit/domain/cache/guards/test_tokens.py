"""Cutting a prompt into tokens."""

from __future__ import annotations

import pytest

from app.domain.cache.guards.tokens import Kind, fold, plain, tokens_of


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a b", [Kind.WORD, Kind.WORD]),
        ("`a b`", [Kind.CODE]),
        ("get https://a.example/b?c=d now", [Kind.WORD, Kind.ADDRESS, Kind.WORD]),
        ("me@a.example", [Kind.ADDRESS]),
        ("/etc/hosts", [Kind.ADDRESS]),
        ('"a b"', [Kind.QUOTE]),
        ("\u201ea b\u201c", [Kind.QUOTE]),
        ("1,000.5", [Kind.NUMBER]),
        ("9:15", [Kind.CLOCK]),
        ("2024-01-02", [Kind.DATE]),
        ("v1.2", [Kind.CODE]),
        ("x == y", [Kind.WORD, Kind.OPERATOR, Kind.WORD]),
        ("a, b", [Kind.WORD, Kind.STOP, Kind.WORD]),
        ("ExcelのA", [Kind.WORD, Kind.WORD, Kind.WORD]),
        ("\U0001f600\u2705", [Kind.SIGN, Kind.SIGN]),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", [Kind.WORD]),
        ('a " b', [Kind.WORD, Kind.WORD]),
        ("5'", [Kind.NUMBER, Kind.SIGN]),
        ("", []),
    ],
)
def test_each_piece_has_its_kind(text: str, kinds: list[Kind]) -> None:
    """Code, addresses and quotes stay whole; scripts are told apart."""
    assert [token.kind for token in tokens_of(text)] == kinds


def test_what_looks_alike_is_alike() -> None:
    """Width, apostrophes, accents and case have one form."""
    assert plain("\uff21\u2019") == "A'"
    assert fold("\u00c9t\u00e9") == "ete"
    assert fold("Stra\u00dfe") == "strasse"
    assert fold("\u0419") == "\u0439"


@pytest.mark.parametrize(
    "sign", ["10\u00b2", "1\u00bd", "\u24d0", "\u2460", "\u2122", "\U0001d400"]
)
def test_what_means_something_else_stays(sign: str) -> None:
    """A power is no digit, a fraction no two numbers, a circled letter no letter."""
    assert plain(sign) == sign
