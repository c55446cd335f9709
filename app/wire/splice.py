"""Members of a body changed where they stand: nothing else is read, and all other bytes stay.

A body is JSON without duplicate names (`strict_json.py`). In such a body a name in quotes can only
be a whole string, because a quote within one is escaped; so the name of a member that is there, and
that is spelt once in quotes and never with escapes, is found by its bytes. Where that is not so, it
is not told: None says that somebody has to read the body.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPE: Final = b"\\u00"
#: Of letters and the underscore, as far as names of members here have them: 0x5f, 0x61 to 0x7a.
_ESCAPED_LETTER: Final = re.compile(rb"\\u00[567]")
_MODEL: Final = b'"model"'
_MODEL_GIVEN: Final = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*("[^"\\]*")')
_OPTIONS: Final = b'"stream_options"'
_USAGE_ASKED: Final = b',"stream_options":{"include_usage":true}'


def with_model(body: bytes, value: bytes) -> bytes | None:
    """A body that has a member `model`, a string, with this JSON value for it."""
    at = body.find(_MODEL)
    found = _MODEL_GIVEN.match(body, at) if at >= 0 else None
    if found is None or body.find(_MODEL, found.end()) >= 0 or _has_escaped_letters(body):
        return None
    start, end = found.span(1)
    return b"%b%b%b" % (body[:start], value, body[end:])


def with_usage_asked_for(body: bytes) -> bytes | None:
    """A body that has members, but no stream options, with the option that asks for usage."""
    if _OPTIONS in body or _has_escaped_letters(body):
        return None
    end = body.rfind(b"}")
    return b"%b%b%b" % (body[:end], _USAGE_ASKED, body[end:])


def _has_escaped_letters(body: bytes) -> bool:
    return _ESCAPE in body and _ESCAPED_LETTER.search(body) is not None
