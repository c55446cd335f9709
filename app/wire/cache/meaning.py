"""The last user turn of a conversation in plain text, and everything else of the request.

Only where both are plain may another request that means the same have the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.domain.cache.entry import Bypass
from app.domain.call.request import Operation

Fields = dict[str, Any]

_CONVERSATION: Final = {Operation.CHAT_COMPLETIONS: "messages", Operation.RESPONSES: "input"}
#: No sets: a list that stands where a type or a role should cannot be looked up in one.
_TEXT_PARTS: Final = ("text", "input_text", "output_text", "refusal")
_ROLES: Final = ("user", "assistant", "system", "developer")
_CALLS: Final = ("tool_calls", "function_call", "tool_call_id")


class Turn(msgspec.Struct, frozen=True):
    """`text` is what the user says last; `rest` the fields with that taken out, shape and all."""

    text: str
    rest: Fields


def last_turn(operation: Operation, fields: Fields) -> Turn | Bypass:
    """The last turn, or why meaning alone may not decide; `fields` are left as they are."""
    name = _CONVERSATION.get(operation)
    if name is None:
        return Bypass.OPERATION
    bypass = _asks_for_more(fields)
    if bypass is not None:
        return bypass
    said = fields.get(name)
    if isinstance(said, str):
        return _turn(said, fields | {name: ""})
    return _last_of(said, fields, name)


def _last_of(said: object, fields: Fields, name: str) -> Turn | Bypass:
    if not isinstance(said, list) or not said:
        return Bypass.NO_USER_TURN
    bypass = next(filter(None, map(_unfit, said)), None)
    if bypass is not None:
        return bypass
    last = said[-1]
    if last.get("role") != "user":
        return Bypass.NO_USER_TURN
    text, emptied = _taken_out(last.get("content"))
    return _turn(text, fields | {name: [*said[:-1], last | {"content": emptied}]})


def _turn(text: str, rest: Fields) -> Turn | Bypass:
    return Turn(text, rest) if text.strip() else Bypass.NO_USER_TURN


def _asks_for_more(fields: Mapping[str, Any]) -> Bypass | None:
    """What else than one text is asked for."""
    if fields.get("tools") or fields.get("functions"):
        return Bypass.TOOLS
    if fields.get("modalities") not in (None, [], ["text"]):
        return Bypass.NOT_TEXT
    if fields.get("n") not in (None, 1):
        return Bypass.SEVERAL_CHOICES
    included = fields.get("include")
    asked = isinstance(included, list) and any("logprobs" in str(each) for each in included)
    if asked or fields.get("logprobs") or fields.get("top_logprobs"):
        return Bypass.LOGPROBS
    return None


def _unfit(message: object) -> Bypass | None:
    """Why a message, or an item of a response's input, is not plain text of somebody."""
    if not isinstance(message, Mapping):
        return Bypass.NOT_TEXT
    if message.get("type") not in (None, "message") or any(message.get(name) for name in _CALLS):
        return Bypass.TOOLS
    if message.get("role") not in _ROLES:
        return Bypass.TOOLS
    content = message.get("content")
    plain = content is None or isinstance(content, str)
    return None if plain or _are_texts(content) else Bypass.NOT_TEXT


def _are_texts(parts: object) -> bool:
    return isinstance(parts, list) and all(
        isinstance(part, Mapping) and part.get("type") in _TEXT_PARTS for part in parts
    )


def _taken_out(content: object) -> tuple[str, object]:
    """The text of a content that is text, and the content without it."""
    if not isinstance(content, list):
        return (content if isinstance(content, str) else ""), ""
    texts: list[str] = []
    emptied: list[Any] = []
    for part in content:
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
            emptied.append(part | {"text": ""})
        else:
            emptied.append(part)
    return "\n".join(texts), emptied
