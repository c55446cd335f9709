"""Request bodies as JSON, read so that no second reader can understand them differently.

What is refused beyond RFC 8259's grammar: duplicate names at any level (readers disagree on which
one counts), nesting over a limit, numbers over a double's range, lone surrogates, NaN and Infinity.
Values that are only forwarded keep their bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from app.errors import MalformedRequest

MAX_DEPTH = 64

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ALIKE = bytes.maketrans(b"{}", b"[]")


def parse_object(body: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The JSON object that `body` holds. Raises MalformedRequest naming what is wrong and where."""
    structure = _STRING.sub(b"", body)
    _refuse_depth(structure, max_depth)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"The request body is not valid JSON: {error}."
        raise MalformedRequest(message, code="invalid_json") from error
    if not isinstance(value, dict):
        message = "The request body must be a JSON object."
        raise MalformedRequest(message, code="invalid_json")
    if structure.count(b":") != _count_members(value):
        _refuse_duplicate(body)
    return value


def replace_members(body: bytes, changes: Mapping[str, bytes]) -> bytes:
    """`body` with top-level members set to the given JSON; all other values keep their bytes."""
    members: dict[str, msgspec.Raw] = _MEMBERS.decode(body)
    members.update((name, msgspec.Raw(value)) for name, value in changes.items())
    return msgspec.json.encode(members)


def members_of(body: bytes) -> dict[str, bytes]:
    """The top-level members of a JSON object, each value as its bytes."""
    return {name: bytes(value) for name, value in _MEMBERS.decode(body).items()}


def _refuse_depth(structure: bytes, limit: int) -> None:
    """Peel off the innermost pairs, one level a pass: linear, and in C."""
    brackets = structure.translate(_ALIKE, _NOT_BRACKETS)
    if len(brackets) <= 2 * limit:
        return
    for _ in range(limit):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) == len(brackets):
            return
        brackets = peeled
    if brackets:
        message = f"The request body is nested deeper than {limit} levels."
        raise MalformedRequest(message, code="json_too_deep")


def _count_members(root: Any) -> int:
    """Members of all objects below `root`, as a reader that drops duplicates sees them."""
    total, pending = 0, [root]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            total += len(value)
            pending.extend(child for child in value.values() if isinstance(child, dict | list))
        else:
            pending.extend(child for child in value if isinstance(child, dict | list))
    return total


def _refuse_duplicate(body: bytes) -> None:
    """Slow path: read again to name the duplicate."""

    def first_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                message = f"The request body has the name {name[:64]!r} twice in one object."
                raise MalformedRequest(message, code="duplicate_key", param=name[:64])
            seen.add(name)
        return dict(pairs)

    json.loads(body, object_pairs_hook=first_twice)
