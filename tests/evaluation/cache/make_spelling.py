"""Make `app/data/spelling.bin`, the words that the guards know to be spelled right.

The words are the dictionaries of pyspellchecker 0.9.1 (MIT licence), needed for this alone:

    pip install pyspellchecker && python -m tests.evaluation.cache.make_spelling
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from typing import Final

from app.domain.cache.guards.spelling import probes
from app.domain.cache.guards.tokens import fold

LANGUAGES: Final = ("de", "en", "es", "fr", "it", "nl", "pt", "ru")
_MOST: Final = 100_000
_BITS_A_WORD: Final = 9
_TARGET: Final = Path("app/data/spelling.bin")


def main() -> None:
    """Write the file: a line with the languages, then the filter's bits."""
    words = [(language, word) for language in LANGUAGES for word in dictionary(language)]
    size = len(words) * _BITS_A_WORD // 8 * 8
    bits = bytearray(size // 8)
    for language, word in words:
        for at in probes(word, language, size):
            bits[at // 8] |= 1 << at % 8
    _TARGET.write_bytes(" ".join(LANGUAGES).encode() + b"\n" + bytes(bits))
    print(f"{_TARGET}: {len(words)} words, {len(bits)} bytes")  # noqa: T201 - a command's answer


def dictionary(language: str) -> set[str]:
    """The most frequent words, folded."""
    found = importlib.util.find_spec("spellchecker")
    if found is None or found.origin is None:
        raise SystemExit("pyspellchecker is not installed")
    path = Path(found.origin).parent / "resources" / f"{language}.json.gz"
    counts: dict[str, int] = json.loads(gzip.decompress(path.read_bytes()))
    often = sorted(counts, key=lambda word: (-counts[word], word))[:_MOST]
    return {fold(word) for word in often}


if __name__ == "__main__":
    main()
