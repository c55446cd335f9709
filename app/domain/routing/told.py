"""What records keep of an upstream's own words: codes and names, and no sentences.

Some servers put the caller's text where a code or a name belongs.
"""

from __future__ import annotations

import re
from typing import Final

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
#: As unbroken as no word is, and as keys are: Azure's have 32 or 84 letters and digits. Some
#: servers' are UUIDs.
_LIKE_A_KEY: Final = re.compile(
    r"(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{20}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}")
#: Of a request's id and of a deployment's name; Azure's have 36 and at most 64 characters.
_LONGEST_NAME: Final = 128


def code_told(code: str | None) -> str | None:
    """The code of an error; None where it is more than a word, or might be a key."""
    if code is None or _CODE.fullmatch(code) is None or _LIKE_A_KEY.search(code):
        return None
    return code


def name_told(name: str | None) -> str | None:
    """An id or a name, from a header; None where it is longer than one, or words."""
    if not name or len(name) > _LONGEST_NAME:
        return None
    is_one_word = name.isascii() and name.isprintable() and " " not in name
    return name if is_one_word else None


def id_told(text: str | None) -> str | None:
    """The id of an answer: a code, though up to 128 characters; None where it is more than that."""
    return text if text is not None and _ID.fullmatch(text) else None
