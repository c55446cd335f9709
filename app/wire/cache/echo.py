"""What a kept body repeats of the request that it was the answer to, put right for another one.

Some fields that do not shape an answer are repeated in it; the second caller's own belong there.
"""

from __future__ import annotations

from typing import Final

from app.domain.call.request import InferenceRequest, Operation
from app.wire.strict_json import members_of, replace_members

#: Names, and what an answer has where the request has nothing.
_REPEATED: Final = {
    Operation.RESPONSES: {
        "metadata": b"{}",
        "prompt_cache_key": b"null",
        "safety_identifier": b"null",
        "user": b"null",
    },
    Operation.CHAT_COMPLETIONS: {"metadata": b"null"},
}
_NULL: Final = b"null"


def as_asked(body: bytes, request: InferenceRequest) -> bytes:
    """The kept body, as the answer to this request; the same bytes where it repeats nothing."""
    repeated = _REPEATED.get(request.operation)
    if repeated is None:
        return body
    kept = members_of(body)
    names = repeated.keys() & kept.keys()
    if not names:
        return body
    asked = members_of(request.body)
    right = {name: _given(asked.get(name, _NULL), repeated[name]) for name in names}
    changes = {name: value for name, value in right.items() if value != kept[name]}
    return replace_members(body, changes) if changes else body


def _given(value: bytes, otherwise: bytes) -> bytes:
    return otherwise if value == _NULL else value
