"""What the guards of the semantic cache know of languages, from files that ship with it."""

from __future__ import annotations

from importlib.resources import files

from app.domain.cache.guards.lexicon import lexicon, small_words
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.guards.spelling import Spelling


def load_phrasebook() -> Phrasebook:
    """About a megabyte, read once at start-up, and made ready: no request waits for a table."""
    data = files("app").joinpath("data")
    tables = {
        file.name.removesuffix(".txt"): file.read_text(encoding="utf-8")
        for file in data.joinpath("words").iterdir()
        if file.name.endswith(".txt")
    }
    head, _, bits = data.joinpath("spelling.bin").read_bytes().partition(b"\n")
    book = Phrasebook(tables, Spelling(bits, frozenset(head.decode().split())))
    small_words(book)
    for language in tables:
        lexicon(book, language)
    return book
