"""What a whole answer says, as text."""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.call.request import Operation


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None


class _Item(msgspec.Struct):
    type: str = ""
    content: list[_Part] | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    output: list[_Item] | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def text_of(operation: Operation, body: bytes) -> str | None:
    """The text of the one answer in the body; None where it holds none, or is not of those."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    match operation:
        case Operation.CHAT_COMPLETIONS:
            messages = [choice.message for choice in answer.choices or ()]
            texts = [message.content or "" for message in messages if message is not None]
        case Operation.RESPONSES:
            items = [item for item in answer.output or () if item.type == "message"]
            texts = [part.text or "" for item in items for part in item.content or ()]
        case _:
            texts = []
    return "\n".join(texts).strip() or None
