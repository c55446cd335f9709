"""Events of the Responses API: the last one holds the whole response."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.merging import Unfoldable
from app.wire.cache.unkept import Unkept, unkept
from app.wire.strict_json import replace_members

_WHOLE: Final = frozenset({"response.completed", "response.incomplete"})


class _Event(msgspec.Struct):
    type: str
    response: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct):
    output: list[msgspec.Raw]
    usage: dict[str, Any] | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_RESPONSE: Final = msgspec.json.Decoder(_Response)


class ResponseFolding:
    """One stream on its way to one body; `size` is how long that is, once it is there, in bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._items = 0  # that were announced
        self._body: bytes | None = None

    def take(self, data: bytes) -> None:
        """Take the data of one event. Raises Unfoldable, and msgspec's errors for no event."""
        event = _EVENT.decode(data)
        if event.type in {"error", "response.failed"}:
            raise Unfoldable(Unkept.ERROR)
        if self._body is not None:
            raise Unfoldable  # who reads the stream does not read on
        if event.type == "response.output_item.added":
            self._items += 1
        elif event.type in _WHOLE:
            self._body = bytes(event.response)
            self.size = len(self._body)

    def body(self, usage: Usage | None) -> bytes:
        """The body; `usage` is for a stream that does not tell it. Raises Unfoldable."""
        if self._body is None:
            raise Unfoldable(Unkept.UNFINISHED)
        response = _RESPONSE.decode(self._body)
        if len(response.output) < self._items:
            raise Unfoldable
        if unkept(Operation.RESPONSES, self._body) is Unkept.FILTERED:
            raise Unfoldable(Unkept.FILTERED)
        if response.usage is not None or usage is None:
            return self._body
        return replace_members(self._body, {"usage": msgspec.json.encode(_usage_fields(usage))})


def _usage_fields(usage: Usage) -> dict[str, Any]:
    """OpenAI's ResponseUsage."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
