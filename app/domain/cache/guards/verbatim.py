"""Compare to the letter what has to be the same to the letter: layout, expressions, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_LINES: Final = re.compile(r"^([ \t]*)\S", re.MULTILINE)
_QUOTED: Final = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`")
_BLANKS: Final = re.compile(r"\s{2,}|^.\s|\s.$")
#: Punctuation that is asked about, or begins a word: "what does ; do", ".gitignore", "5!";
#: and exponents.
_POINTED: Final = re.compile(
    r"(?<!\S)[.!?;:,()]+(?=[ \t]+[a-z0-9])"
    r"|(?<!\S)[.!?;:,]+(?=\w)(?!(?<=\.)net\b)"
    r"|(?<=[\d)])!+"
    r"|\de[-+]?\d+",
    re.IGNORECASE,
)
_EXPRESSION: Final = re.compile(
    r"[\w)\]]\s*[+*^=<>|\u00d7\u00f7]+\s*[\w(\[.-]"
    r"|[-/]\s*[(\[] | [)\]]\s*[-/]"
    r"|\w(?!\((?:s|es|n|e|en)\))[(\[]",
    re.VERBOSE,
)
_PIECE: Final = re.compile(r"[^\W\d_]\w*|_\w*|\d+(?:[.,]\d+)*|[^\w\s]")
_OPERATORS: Final = frozenset("()[]{}+*^=<>|/-!&~\\\u00d7\u00f7")
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")
_SEPARATORS: Final = frozenset(",;:")
_COMMAND: Final = re.compile(
    r"(?<!\S)(?:cp|mv|ln|scp|rsync|diff|dd|chmod|chown|tar|sed|awk|grep)\s+(\S+)\s+(\S+)"
)


def is_apart(left: str, right: str) -> bool:
    """Whether what has to be the same to the letter is not; both texts as `tokens.plain` has them.

    Blanks at the start of lines, and those in quotes; punctuation that is asked about; operators,
    brackets and what stands next to them, in order; and the arguments of commands.
    """
    return (
        _indents(left) != _indents(right)
        or _spaced(left) != _spaced(right)
        or _POINTED.findall(left) != _POINTED.findall(right)
        or _COMMAND.findall(left) != _COMMAND.findall(right)
        or _expressions_differ(left, right)
    )


def _indents(text: str) -> list[str]:
    indents = [match[1] for match in _LINES.finditer(text.strip())]
    return indents if any(indents) else []


def _spaced(text: str) -> list[str]:
    """Quotes in which blanks are more than what is between two words."""
    return [match[0] for match in _QUOTED.finditer(text) if _BLANKS.search(match[0])]


def _expressions_differ(left: str, right: str) -> bool:
    if not (_EXPRESSION.search(left) or _EXPRESSION.search(right)):
        return False
    return list(_pieces(left)) != list(_pieces(right))


def _pieces(text: str) -> Iterator[str]:
    """Numbers, operators and brackets of `text`, and the words that they are applied to."""
    found = list(_PIECE.finditer(text))
    depth = 0
    for at, match in enumerate(found):
        piece = match[0]
        depth += (piece in _OPENING) - (piece in _CLOSING)
        if piece in _SEPARATORS:
            is_part = depth > 0
        elif piece in _OPERATORS:
            is_part = not _is_hyphen(match, text)
        else:
            is_part = piece[0].isdecimal() or _is_operand(found, at, text)
        if is_part:
            yield piece


def _is_hyphen(match: re.Match[str], text: str) -> bool:
    around = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    return match[0] == "-" and all(char.isalpha() for char in around)


def _is_operand(found: list[re.Match[str]], at: int, text: str) -> bool:
    """Whether a word stands right at an operator, or is one letter next to one."""
    match = found[at]
    if not (match[0][0].isalpha() or match[0][0] == "_"):
        return False
    reach = 1 if len(match[0]) == 1 else 0
    for other in (*found[at - 1 : at], *found[at + 1 : at + 2]):
        gap = other.start() - match.end() if other.start() > match.start() else 0
        gap = gap or (match.start() - other.end() if other.end() <= match.start() else 0)
        signs = _OPERATORS | _SEPARATORS if reach else _OPERATORS
        if gap <= reach and other[0] in signs and not _is_hyphen(other, text):
            return True
    return False
