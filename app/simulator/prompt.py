"""Turns what a request says into the tokens that the model would read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from app.simulator import refusal

Encode = Callable[[str], Sequence[int]]

# The chat format's frame around a message and the primer of the answer: 3 tokens each. Negative, so
# that no vocabulary has them.
_FRAME: Final = (-1, -2, -3)
_TOOLS: Final = -4
_LOW_DETAIL_TOKENS: Final = 85
_IMAGE_TOKENS: Final = 765


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens read, and the text among them in which markers are looked for."""

    tokens: Sequence[int]
    text: str
    ends_with_tool_result: bool = False


@dataclass(slots=True)
class PromptWriter:
    """Collects tokens and text in the order in which the model reads them."""

    encode: Encode
    tokens: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def message(self, role: str, content: object) -> None:
        self.tokens += _FRAME
        self.tokens += self.encode(role)
        self.content(content)

    def content(self, content: object) -> None:
        if isinstance(content, str):
            self.say(content)
        elif isinstance(content, list):
            for part in content:
                self._part(part)

    def say(self, text: str) -> None:
        self.texts.append(text)
        self.tokens += self.encode(text)

    def tools(self, tools: object) -> None:
        """Definitions stand first: changing them changes the whole prefix."""
        if tools:
            self.tokens.append(_TOOLS)
            self.tokens += self.encode(compact(tools))

    def _part(self, part: object) -> None:
        if not isinstance(part, Mapping):
            raise refusal.wrong_type("content", "an array of objects")
        text = part.get("text") or part.get("refusal")
        if isinstance(text, str):
            self.say(text)
        elif "image" in str(part.get("type")):
            self._image(part)

    def _image(self, part: Mapping[str, Any]) -> None:
        """A fixed price, tied to the image so that another image is another prefix."""
        image = part.get("image_url")
        detail = image.get("detail") if isinstance(image, Mapping) else part.get("detail")
        length = _LOW_DETAIL_TOKENS if detail == "low" else _IMAGE_TOKENS
        identity = (self.encode(compact(image)[-64:]) or (0,))[-1]
        self.tokens += [-5 - identity] * length


def chat_prompt(body: Mapping[str, Any], encode: Encode) -> Prompt:
    """The prompt of a chat completion.

    Raises:
        Refusal: `messages` is not a list of messages.
    """
    messages = body.get("messages")
    if messages is None:
        raise refusal.missing("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise refusal.wrong_type("messages", "an array of objects")
    if not all(isinstance(message.get("role", ""), str) for message in messages):
        raise refusal.wrong_type("role", "a string")
    if not messages:
        raise refusal.invalid(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    writer = PromptWriter(encode)
    writer.tools(body.get("tools") or body.get("functions"))
    for message in messages:
        writer.message(str(message.get("role", "user")), message.get("content"))
        if calls := message.get("tool_calls"):
            writer.tokens += encode(compact(calls))
    writer.tokens += _FRAME
    ends_with_tool = messages[-1].get("role") in {"tool", "function"}
    return Prompt(writer.tokens, "\n".join(writer.texts), ends_with_tool)


def text_prompts(value: object, encode: Encode, *, param: str) -> list[Prompt]:
    """The prompts of a legacy completion or an embedding: texts, tokens, or a list of either.

    Raises:
        Refusal: none is there, or it is something else.
    """
    if value is None or value in ("", []):
        raise refusal.missing(param)
    if isinstance(value, list) and all(map(_is_token, value)):
        return [Prompt(value, "")]
    values = value if isinstance(value, list) else [value]
    return [_text_prompt(each, encode, param) for each in values]


def responses_prompt(
    body: Mapping[str, Any], encode: Encode, *, before: Iterable[int] = ()
) -> Prompt:
    """The prompt of a response, after the tokens of the conversation that it continues.

    Raises:
        Refusal: `input` is neither text nor a list of items.
    """
    writer = PromptWriter(encode)
    writer.tools(body.get("tools"))
    if instructions := body.get("instructions"):
        writer.message("developer", instructions)
    writer.tokens += before
    items = input_items(body)
    for item in items:
        _write_item(writer, item)
    writer.tokens += _FRAME
    ends_with_tool = bool(items) and str(items[-1].get("type")).endswith("_output")
    return Prompt(writer.tokens, "\n".join(writer.texts), ends_with_tool)


def input_items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`input` as the list of items that it stands for.

    Raises:
        Refusal: it is neither text nor a list of objects.
    """
    given = body.get("input")
    if given is None:
        raise refusal.missing("input")
    if isinstance(given, str):
        return [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": given}],
            }
        ]
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise refusal.wrong_type("input", "a string or an array of objects")
    return given


def compact(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


def _write_item(writer: PromptWriter, item: Mapping[str, Any]) -> None:
    if "content" in item:
        writer.message(str(item.get("role", "user")), item["content"])
    elif isinstance(item.get("output"), str):
        writer.message("tool", item["output"])
    else:
        writer.message("assistant", "")
        writer.tokens += writer.encode(compact(item))


def _is_token(value: object) -> bool:
    """No vocabulary has more than 32 bits count."""
    return isinstance(value, int) and 0 <= value < 2**32


def _text_prompt(value: object, encode: Encode, param: str) -> Prompt:
    if isinstance(value, str):
        return Prompt(encode(value), value)
    if isinstance(value, list) and all(map(_is_token, value)):
        return Prompt(value, "")
    raise refusal.wrong_type(param, "a string, an array of strings or an array of tokens")
