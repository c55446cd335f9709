"""Cut a prompt into tokens: words, numbers, code, addresses and quoted text."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

#: Characters of a prompt that are read; what is longer is compared as it is.
MAX_CHARS: Final = 20_000

_QUOTES: Final = str.maketrans(
    {
        "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "\u2032": "'", "\u201b": "'",
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2212": "-", "\u2044": "/",
        "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\ufe0e": "", "\ufe0f": "",
    }
)  # fmt: skip
_PATTERN: Final = r"""
  (?P<code>```.*?```|`[^`\n]+`)
| (?P<address>(?:https?|ftp|file)://[^\s<>"')\]]+ | www\.[^\s<>"')\]]+
    | (?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]*\w
    | (?<![\w/])(?:~|\.{1,2})?/(?:[\w.+-]+/)+[\w.+-]* | (?<!\w)[A-Za-z]:\\[^\s"']+ )
| (?P<quote>"[^"\n]{1,400}"|[\u201c\u201e\u201d][^\u201c\u201d\n]{1,400}[\u201c\u201d]
    |[\u00ab][^\u00bb\n]{1,400}\u00bb|[\u00bb][^\u00ab\n]{1,400}\u00ab
    |\u300c[^\u300d\n]{1,400}\u300d|\u300e[^\u300f\n]{1,400}\u300f
    |(?<![\w'])'[^'\n]{1,400}'(?!\w))
| (?P<clock>(?<![\w.:])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?:\s?[ap]\.?m\b\.?)?
    |(?<![\w.:])\d{1,2}\s?[ap]\.?m\b\.?)
| (?P<date>(?<![\w.])(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}\.\d{1,2}\.\d{4})(?![\w]))
| (?P<ident>
    \$\{?[A-Za-z_]\w*\}? | (?<![\w-])--?[A-Za-z][\w-]*(?:=\S+)?
  | (?<!\w)\.[A-Za-z][A-Za-z0-9]{1,5}\b
  | \b0[xX][0-9a-fA-F]+\b
  | \b[vV]\d+(?:\.\d+)*\b | \b(?!\d{1,3}(?:\.\d{3})+\b)\d+(?:\.\d+){2,}\b
  | \b[A-Za-z][A-Za-z0-9]*(?:[._:]{1,2}[A-Za-z0-9_][A-Za-z0-9]*)+(?:\(\))?
  | \b[A-Za-z]\w*\(\) | \b\w*[a-z0-9]_\w+\b | \b_\w+\b | [@#][A-Za-z]\w+
  | \b[a-z]+(?:[A-Z][a-z0-9]+)+\b | \b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+\b
  | \b[A-Za-z]+[0-9][A-Za-z0-9]*\b | \b[CcFf](?:\+\+|\#)(?!\w) )
| (?P<number>\d+(?:[.,'\u2019\u066b\u066c ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+[.,]\d+|\d+)
| (?P<slice>\[[^\]\n\s]{1,40}\] | \\[A-Za-z](?:\{[\d,]+\})?[+*?]? )
| (?P<op>[=!<>]=+|=>|->|<-|&&|\|\||\+\+|<<|>>|:=|\*\*|[-+](?=\d)|[-+*/=<>^|~@\#\\{}\[\]&%$]
    |[\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9\u00b0\u00a7\u2260\u2264\u2265\u2192\u2190\u00d7\u00f7])
| (?P<han>[\u3040-\u30ff\u3400-\u9fff]+)
| (?P<word>(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W\d_])
    (?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W\d_]|MARKS)*
    (?:'(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W\d_]|MARKS)+)*'?)
| (?P<stop>
    [\n.!?;:,()\u3002\uff01\uff1f\u3001\uff0c\u2014\u2013\u2026\u00bf\u00a1\u061f\u060c\u0964]+)
| (?P<mark>(?<!\d)['"\u201c\u201d\u201e\u00ab\u00bb\u300a-\u300f])
| (?P<sign>\S)
"""
#: Where the combining marks of the scripts in use are.
_MARKED: Final = (range(0x300, 0x1100), range(0x1700, 0x1D00), range(0xA600, 0xABFF))
#: Forms of a letter that mean the letter; a power, a fraction or a circled letter is not one.
_FORMS: Final = (
    "<wide>",
    "<narrow>",
    "<noBreak>",
    "<initial>",
    "<medial>",
    "<final>",
    "<isolated>",
)
_LIGATURES: Final = "\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06\u2026"
_LONGEST_FORM: Final = 3


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    NUMBER = auto()
    CLOCK = auto()
    DATE = auto()
    CODE = auto()
    ADDRESS = auto()
    QUOTE = auto()
    OPERATOR = auto()
    STOP = auto()
    SIGN = auto()  # what is nothing else: an emoji, a mathematical sign


_KINDS: Final = {
    "code": Kind.CODE, "address": Kind.ADDRESS, "quote": Kind.QUOTE, "clock": Kind.CLOCK,
    "date": Kind.DATE, "ident": Kind.CODE, "slice": Kind.CODE, "number": Kind.NUMBER,
    "op": Kind.OPERATOR, "word": Kind.WORD, "han": Kind.WORD, "stop": Kind.STOP,
    "sign": Kind.SIGN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a prompt; `folded` is without case and accents, `glued` without a space before."""

    kind: Kind
    text: str
    folded: str
    glued: bool = False


@functools.cache
def _tokenizer() -> re.Pattern[str]:
    marks = (chr(code) for codes in _MARKED for code in codes)
    found = "".join(mark for mark in marks if unicodedata.category(mark).startswith("M"))
    return re.compile(_PATTERN.replace("MARKS", f"[{found}]"), re.VERBOSE | re.DOTALL)


def plain(text: str) -> str:
    """One form for what is the same: width, ligatures, apostrophes, dashes, spaces.

    Powers, fractions and circled letters stay as they are, unlike in NFKC.
    """
    formed = text if text.isascii() else "".join(_formed(char) for char in text)
    return unicodedata.normalize("NFC", formed.translate(_QUOTES)).translate(_QUOTES)


@functools.lru_cache(maxsize=4096)
def _formed(char: str) -> str:
    if char in _LIGATURES or unicodedata.decomposition(char).startswith(_FORMS):
        form = unicodedata.normalize("NFKC", char)
        return form if len(form) <= _LONGEST_FORM else char
    return char


def fold(word: str) -> str:
    """Without case, and without accents on Latin and Greek letters."""
    lowered = word.casefold()
    if lowered.isascii():
        return lowered
    kept = (_bare(char) for char in unicodedata.normalize("NFC", lowered))
    return (
        "".join(kept)
        .replace("\u0451", "\u0435")
        .replace("æ", "ae")
        .replace("œ", "oe")
        .replace("ø", "o")
    )


@functools.lru_cache(maxsize=4096)
def _bare(char: str) -> str:
    parts = unicodedata.normalize("NFD", char)
    return parts[0] if len(parts) > 1 and parts[0] < "\u0400" else char


def tokens_of(text: str) -> tuple[Token, ...]:
    """Every token of `text`; spaces are none."""
    shown = plain(text)[:MAX_CHARS]
    found = []
    end = -1
    for match in _tokenizer().finditer(shown):
        kind = _KINDS.get(str(match.lastgroup))
        if kind:
            found.append(Token(kind, match[0], fold(match[0]), match.start() == end))
        end = match.end()
    return tuple(found)
