"""Request bodies as JSON, read so that no second reader can understand them differently.

What is refused beyond RFC 8259's grammar: duplicate names at any level (readers disagree on which
one counts), nesting over a limit, numbers over a double's range, lone surrogates, NaN and Infinity.
Values that are only forwarded keep their bytes.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import msgspec

from app.errors import MalformedRequest

MAX_DEPTH = 64

#: Beyond this a duplicate is refused without its name: to find that takes a slow reader. Bytes.
_NAMED_UP_TO = 128 * 1024

#: Of a body: up to this size its brackets are counted sooner than its values are walked through.
_SMALL = 4096

_ANYTHING = msgspec.json.Decoder()
_ENCODED = msgspec.json.Encoder().encode
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one level down, one up: signed bytes
#: The first half of a pair, where no second half begins right after it.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*+(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])"
)
_ESCAPED_COLON = re.compile(rb"(?<!\\)(?:\\\\)*+\\u003[aA]")


def parse_object(body: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The JSON object that `body` holds. Raises MalformedRequest naming what is wrong and where.

    Takes time in proportion to the body, and holds up the loop for it.
    """
    try:
        value = _ANYTHING.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse_unread_depth(body, max_depth)
        message = f"The request body is not valid JSON: {_what_is_wrong(body, error)}."
        raise MalformedRequest(message, code="invalid_json") from error
    is_flat = len(body) < _SMALL and body.count(b"[") + body.count(b"{") <= max_depth
    if not is_flat and _is_deeper(value, max_depth):
        raise _too_deep(max_depth)
    if not isinstance(value, dict):
        message = "The request body must be a JSON object."
        raise MalformedRequest(message, code="invalid_json")
    # Whether a later member took the name of another: each has a colon. All other colons are in
    # strings, and stand in both once escapes are counted: the encoder writes them as they are.
    colons = body.count(b":")
    if b"\\" in body and b"\\u003" in body:
        colons += len(_ESCAPED_COLON.findall(body))
    if colons != _ENCODED(value).count(b":"):
        _refuse_duplicate(body)
    return value


def replace_members(body: bytes, changes: Mapping[str, bytes]) -> bytes:
    """`body` with top-level members set to the given JSON; all other values keep their bytes."""
    members: dict[str, msgspec.Raw] = _MEMBERS.decode(body)
    for name, value in changes.items():
        members[name] = msgspec.Raw(value)
    return _ENCODED(members)


def members_of(body: bytes) -> dict[str, bytes]:
    """The top-level members of a JSON object, each value as its bytes."""
    return {name: bytes(value) for name, value in _MEMBERS.decode(body).items()}


def _what_is_wrong(body: bytes, error: Exception) -> str:
    """The decoder's words where it says which byte; half a surrogate pair it calls truncated."""
    if not body.strip():
        return "it is empty"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 (byte {_not_utf8(body)})"
    if "truncated" not in str(error):
        return str(error)
    if lone := _LONE_SURROGATE.search(body):
        return f"half of a utf-16 surrogate pair (byte {lone.start(1)})"
    return f"it is truncated: it ends too early (byte {len(body)})"


def _not_utf8(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


def _is_deeper(value: object, limit: int) -> bool:
    """Whether a value is nested deeper; one level down in each turn."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [
            one
            for each in level
            for one in (each.values() if each.__class__ is dict else each)
            if one.__class__ is dict or one.__class__ is list
        ]
        if not level:
            return False
    return bool(level)


def _refuse_unread_depth(body: bytes, limit: int) -> None:
    """Where the decoder gave up. What is deep but does not close is no JSON at any depth."""
    steps = array("b", _without_strings(body).translate(_STEPS, _NOT_BRACKETS))
    if max(accumulate(steps), default=0) > limit and sum(steps) == 0:
        raise _too_deep(limit)


def _too_deep(limit: int) -> MalformedRequest:
    message = f"The request body is nested deeper than {limit} levels."
    return MalformedRequest(message, code="json_too_deep")


def _without_strings(body: bytes) -> bytes:
    """What stands outside of strings, as far as `body` is JSON.

    Not with a pattern for strings: over one that is never closed it would start again at each of
    its quotes.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


def _refuse_duplicate(body: bytes) -> None:
    """Read a body of moderate size again to name the duplicate."""

    def first_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                message = f"The request body has the name {name[:64]!r} twice in one object."
                raise MalformedRequest(message, code="duplicate_key", param=name[:64])
            seen.add(name)
        return dict(pairs)

    if len(body) <= _NAMED_UP_TO:
        json.loads(body, object_pairs_hook=first_twice)
    message = "The request body has a name twice in one object."
    raise MalformedRequest(message, code="duplicate_key")
