"""What a prompt says, as the guards compare it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app.domain.cache.guards.units import Unit


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a prompt says. `lead` is the preposition before it, `chunk` its phrase."""

    kind: str
    value: str
    lead: str = ""
    chunk: int = 0
    text: str = ""
    is_name: bool = False
    article: str = ""  # the determiner before it
    at: int = 0  # the unit it was read from
    is_passive: bool = False
    after_subject: bool = False  # "I cancel"
    listed: int = 0  # the list it is of, 0 for none


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt says; `asks` are the kinds of its questions."""

    language: str
    items: tuple[Item, ...]
    asks: frozenset[str]
    tenses: frozenset[str] = frozenset()
    quotes: tuple[str, ...] = ()
    persons: frozenset[str] = frozenset()
    pronouns: frozenset[str] = frozenset()
    is_terse: bool = False  # bare keywords
    units: tuple[Unit, ...] = ()  # all that was read
    is_about_words: bool = False  # "translate", "spell": how it is written matters

    def count(self) -> Counter[tuple[str, str]]:
        """How often each thing is said."""
        return Counter((item.kind, item.value) for item in self.items)
