"""A chat as most are, of words and calls of functions: its deciding fields read in one go.

What has another type than it has here is no such chat, be it right or wrong, and is read field by
field. No member here can name what is stored, so that nobody has to look through the messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

_Count = Annotated[int, msgspec.Meta(ge=1)]


class _Function(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    arguments: str


class _Call(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: str
    type: str
    function: _Function


class _Text(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: str
    text: str


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    role: str
    content: str | list[_Text] | None = None
    name: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: Any = None


class PlainChat(msgspec.Struct, gc=False):
    """What is read of it; null is as good as nothing where None is allowed."""

    messages: list[_Message]
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    max_output_tokens: _Count | None = None
    n: _Count = 1
    best_of: _Count = 1
    prompt_cache_key: Any = None
    audio: None = None
    data_sources: None = None

    def output_cap(self) -> int | None:
        """The largest one that is declared; responses' alone is none."""
        own = max(self.max_tokens or 0, self.max_completion_tokens or 0)
        return max(own, self.max_output_tokens or 0) if own else None


def plain_chat(fields: Mapping[str, Any]) -> PlainChat | None:
    """The chat that a body's fields make; None where they make another one, or none."""
    try:
        return msgspec.convert(fields, PlainChat)
    except msgspec.ValidationError:
        return None
