"""RE2 patterns: what makes one usable, and what matches with it.

RE2 takes time in proportion to the text, whatever the pattern; what it cannot do in that time, such
as backreferences and look-around, it refuses (google/re2, syntax page).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

#: Of a pattern, in characters.
MOST_CHARS: Final = 1000
#: Of one place that says patterns: the configuration of all tenants, or a tenant.
MOST_PATTERNS: Final = 50
#: Memory of one pattern in use, in bytes; beyond it RE2 goes on in less, and slower.
_MOST_MEMORY: Final = 1 << 20
#: Patterns that are kept ready.
_MOST_KEPT: Final = 1024

#: Whether a text, as UTF-8, has a match anywhere.
Search = Callable[[bytes], bool]


class UnusablePattern(ValueError):
    """RE2 refuses it; the message names the reason, and holds nothing of the pattern."""


@lru_cache(_MOST_KEPT)
def search_of(pattern: str) -> Search:
    """What looks for it. Raises UnusablePattern."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415  # 2 MB, only where patterns are

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MOST_MEMORY
    try:
        made = re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise UnusablePattern(_reason(error)) from None
    find = made.search
    return lambda text: find(text) is not None


def _reason(error: Exception) -> str:
    """RE2's own words up to what it quotes of the pattern: `missing ): (abc`."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    words = text.split(":", 1)[0].strip() or "it cannot be read"
    return f"is no RE2 pattern ({words}); RE2 knows no look-around and no backreferences"
