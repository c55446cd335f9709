"""Telling the language of a prompt."""

from __future__ import annotations

import functools

import pytest

from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.guards.language import language_of
from app.domain.cache.guards.lexicon import small_words
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.tokens import tokens_of


@functools.cache
def book() -> Phrasebook:
    return load_phrasebook()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I cancel it?", "en"),
        ("Wie kündige ich das?", "de"),
        ("¿Cómo lo cancelo?", "es"),
        ("Comment puis-je l'annuler ?", "fr"),
        ("Как это отменить?", "ru"),
        ("怎么取消", "zh"),
        ("ExcelのCOUNT関数とは", "ja"),
        ("어떻게 취소하나요?", "ko"),
        ("42", ""),
        ("`SELECT 1`", ""),
    ],
)
def test_script_and_small_words_tell(text: str, language: str) -> None:
    """Code and numbers tell nothing."""
    assert language_of(tokens_of(text), small_words(book()), book().spelling) == language
