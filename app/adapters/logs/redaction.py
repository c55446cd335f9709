"""Secrets taken out of text: what looks like one, and what this process knows to be one.

What is known is registered at the start and at each reload, and stays known: a key that was
replaced may still be good. Texts of fewer than `SHORTEST` characters are not: they occur in words.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

REDACTED: Final = "[redacted]"
#: A value of this many characters is taken out wherever it occurs, within words, too.
SHORTEST: Final = 8

#: No pattern goes past a quote or a backslash: a line of JSON stays one.
_RUN: Final = r"[A-Za-z0-9._~+/=%-]"
_PATTERNS: Final = re.compile(
    "|".join(
        (
            r"spg_[A-Za-z0-9_]{12,}",  # our keys
            rf"(?P<scheme>\b(?:[Bb]earer|BEARER|[Bb]asic)\s+){_RUN}{{8,}}",
            rf"\beyJ[A-Za-z0-9_-]{{6,}}{_RUN}*",  # a JSON web token
            r"\bsk-[A-Za-z0-9_-]{12,}",  # OpenAI's keys, and others' after them
            rf"(?P<header>(?:\b[Aa](?:pi|PI)[-_]?|-)[Kk]ey[\"'\\]*\s*[:=]\s*[\"'\\]*){_RUN}{{8,}}",
            r"(?P<pair>[Kk]ey=|\b[Ss]ig=|[Ss]ecret=|[Pp]assword=)[^\s;&\"'\\]{4,}",
            r"(?P<url>://)[^\s/?#\"'\\@]+@",  # user:password@
        )
    )
)
#: One of these is in every text that a pattern is found in. Looking for them takes a twentieth of
#: the time, which is what nearly all lines cost.
_MARKS: Final = (
    "=", "@", "spg_", "eyJ", "sk-", "earer", "EARER", "asic ", "pi-", "pi_", "PI", "pik", "piK",
    "-key", "-Key",
)  # fmt: skip
#: The same of what is one word, as an id is: all other patterns have something else in them.
_OUR_KEY, _TOKEN = "spg_", "eyJ"
_KEPT: Final = ("scheme", "header", "pair", "url")


class Redaction:
    """What makes text safe to be written where others read it."""

    def __init__(self) -> None:
        """Nothing is known yet; what looks like a secret is taken out all the same."""
        self._known: tuple[str, ...] = ()
        self._sizes: list[int] = []
        #: How often there was more to be known.
        self.generation = 0

    def know(self, secrets: Iterable[str]) -> None:
        """Take these out from now on, as they are and as they stand in JSON and in URLs."""
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        # Longest first: one may be the beginning of another.
        self._known = tuple(sorted(forms.union(self._known), key=len, reverse=True))
        self._sizes = [-len(each) for each in self._known]
        self.generation += 1

    def may_change(self, text: str, longest: int) -> bool:
        """Whether a secret may be in any of the words of this text, the longest so many long."""
        for known in self._known[bisect_left(self._sizes, -longest) :]:
            if known in text:
                return True
        return any(map(text.__contains__, _MARKS))

    def __call__(self, text: str) -> str:
        """The text, with `REDACTED` in place of secrets."""
        # Most are longer than what is looked at: an id, a name.
        for known in self._known[bisect_left(self._sizes, -len(text)) :]:
            if known in text:
                text = text.replace(known, REDACTED)
        if text.isidentifier():
            is_marked = _OUR_KEY in text or _TOKEN in text
        else:
            is_marked = any(map(text.__contains__, _MARKS))
        return _PATTERNS.sub(_without_secret, text) if is_marked else text


def _without_secret(found: re.Match[str]) -> str:
    """What names the secret stays."""
    kept = next((found[name] for name in _KEPT if found[name]), "")
    return f"{kept}{REDACTED}{'@' if found['url'] else ''}"


def _forms(secret: str) -> Iterator[str]:
    for form in (secret, unquote(secret)):
        yield form
        yield json.dumps(form)[1:-1]
        yield form.encode("unicode_escape").decode("ascii")
