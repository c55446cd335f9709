"""Leave out what only makes conversation: small talk, and the name below a closing line."""

from __future__ import annotations

from typing import Final

from app.domain.cache.guards.lexicon import Lexicon
from app.domain.cache.guards.tokens import Kind
from app.domain.cache.guards.units import Unit

#: Words of the longest name below a letter.
_NAME: Final = 3


def without_asides(units: list[Unit], words: Lexicon) -> list[Unit]:
    """`units` without the clauses that only make conversation."""
    clauses: list[list[Unit]] = [[]]
    for unit in units:
        clauses[-1].append(unit)
        if unit.kind is Kind.STOP:
            clauses.append([])
    kept = [clause for clause in _unsigned(clauses, words) if not _is_aside(clause, words)]
    if not any(unit.kind is not Kind.STOP for clause in kept for unit in clause):
        return units
    return [unit for clause in kept for unit in clause]


def _unsigned(clauses: list[list[Unit]], words: Lexicon) -> list[list[Unit]]:
    """`clauses` without a "kind regards" at the end and the name below it.

    Only words known as names go: a line with capitals can be an order like any other.
    """
    for at in range(max(0, len(clauses) - 3), len(clauses)):
        said = " ".join(unit.word for unit in clauses[at] if unit.kind is not Kind.STOP)
        below = [u for clause in clauses[at + 1 :] for u in clause if u.kind is not Kind.STOP]
        if (
            said in words.signoffs
            and len(below) <= _NAME
            and all(u.word in words.names for u in below)
        ):
            return clauses[:at]
    return clauses


def _is_aside(clause: list[Unit], words: Lexicon) -> bool:
    said = [unit for unit in clause if unit.kind is not Kind.STOP]
    return (
        any(unit.word in words.chat for unit in said)
        and all(unit.word in words.chat or unit.word in words.around for unit in said)
        and not any("?" in unit.text for unit in clause)
    )
