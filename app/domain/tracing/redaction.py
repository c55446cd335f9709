"""What looks like an address, a key or a number of somebody's is taken out of a text.

It is not a promise: names, streets and secrets in words stay. Every pattern reads a text from left
to right with bounded looks back, so that no text takes more than its length.
"""

from __future__ import annotations

import re
import string
from typing import Final

#: In this order: a key may hold what looks like a number.
_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.ASCII), name)
    for pattern, name in (
        (r"[\w.%+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", "[email]"),
        # Keys of gateways, OpenAI, GitHub, AWS and Slack; JWTs; what follows `Bearer`.
        (r"(?i:bearer)[ \t]{1,4}[\w.~+/=-]{8,}", "[key]"),
        (r"(?<![A-Za-z0-9])(?:spg_|sk-|gh[a-z]_|xox[a-z]-|eyJ)[\w.~+/=-]{8,}", "[key]"),
        (r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}", "[key]"),
        # As long and as unbroken as Azure's keys.
        (r"[A-Za-z0-9+/_-]{32,}={0,2}", "[key]"),
        # Accounts by their country: IBANs.
        (
            r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?",
            "[number]",
        ),
        # Cards, telephones, accounts: eight digits and more, in groups or not.
        (r"\+?\d(?:[ .()/\xa0-]{0,2}\d){7,}", "[number]"),
    )
)
#: Stands for what was left out.
CUT: Final = "…"
#: What the above consist of: a word, and groups of digits before it.
_OF_WORDS: Final = string.ascii_letters + string.digits + "_.%+'-@~/="
_OF_NUMBERS: Final = string.digits + "+ .()/\xa0-\t"


def redacted(text: str) -> str:
    """The text with what was found replaced by what it was."""
    for pattern, name in _PATTERNS:
        text = pattern.sub(name, text)
    return text


def redacted_start(text: str, most: int) -> str:
    """The beginning of a text, redacted, of `most` characters; a cut is marked.

    Only as much is read as is needed. What the cut tore is left out, as it might not be recognised.
    """
    if len(text) <= most:
        return redacted(text)[:most]
    return redacted(_untorn(text[: most - 1]))[: most - 1] + CUT


def _untorn(text: str) -> str:
    """Without the word that it ends in, and without a number that may go on after it."""
    whole = text.rstrip(_OF_WORDS)
    before = whole.rstrip(_OF_NUMBERS)
    is_number = any(each.isdigit() for each in whole[len(before) :])
    return before.rstrip(_OF_WORDS) if is_number else before
