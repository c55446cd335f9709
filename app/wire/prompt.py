"""What a request's body gives the model to read. Never raises: oddities count as their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app.domain.call.image import Image
from app.domain.call.prompt import Prompt
from app.domain.call.request import InferenceRequest, Operation
from app.wire.image_size import size_of, size_of_base64

_CHAT_COMPLETIONS: Final = Operation.CHAT_COMPLETIONS
_PLAIN: Final = {Operation.COMPLETIONS: ("prompt", "suffix"), Operation.EMBEDDINGS: ("input",)}
#: Chats alone have them elsewhere than in `input`; a reader passes over what its API does not have.
_MESSAGES: Final = {_CHAT_COMPLETIONS: "messages"}
#: Beside the messages, what the model is shown too; and a predicted answer, which is charged as far
#: as it turns out to be wrong.
_DEFINITIONS: Final = ("tools", "functions", "response_format", "text", "prompt", "prediction")
_TEXTS: Final = ("text", "refusal", "output")
#: Of an item that came from an answer: nothing that the model reads.
_UNREAD: Final = frozenset({"id", "status"})
#: Characters per token of what is sent back encrypted: of four, three are bytes of text, of which a
#: token has some four. More tokens than that, to be safe.
_SEALED_CHARS: Final = 4


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    role: str
    content: str


class _Chat(msgspec.Struct, gc=False):
    """A chat of texts alone, as most are; what else a model is shown may only be null."""

    messages: list[_Message]
    instructions: None = None
    tools: None = None
    functions: None = None
    response_format: None = None
    text: None = None
    prompt: None = None
    prediction: None = None


_CHAT: Final = msgspec.json.Decoder(_Chat)


def _texts_alone(body: bytes) -> Prompt | None:
    """The prompt of a chat of texts alone, in a tenth of the time; None for any other."""
    try:
        chat = _CHAT.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    texts: list[str] = []
    for message in chat.messages:
        texts += (message.role, message.content)
    return Prompt(tuple(texts), len(chat.messages))


def read_prompt(request: InferenceRequest) -> Prompt:
    """The prompt of a metered request, whose body has been read as JSON before.

    What only the upstream has is not seen: the conversation that `previous_response_id` continues,
    stored prompts, and what hosted tools find.
    """
    if request.route.operation is _CHAT_COMPLETIONS:
        prompt = _texts_alone(request.body)
        if prompt is not None:
            return prompt
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = None
    if not isinstance(body, Mapping):
        return Prompt(texts=(request.body.decode("utf-8", "replace"),))
    reading = _Reading()
    plain = _PLAIN.get(request.operation)
    if plain is not None:
        for name in plain:
            reading.plain(body.get(name))
        return reading.prompt()
    reading.messages_of(body, _MESSAGES.get(request.operation, "input"))
    for name in _DEFINITIONS:
        reading.json(body.get(name))
    return reading.prompt()


@dataclass(slots=True)
class _Reading:
    """What has been read so far."""

    texts: list[str] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    messages: int = 0
    names: int = 0
    files: int = 0
    tokens: int = 0

    def prompt(self) -> Prompt:
        """All of it."""
        return Prompt(
            tuple(self.texts),
            self.messages,
            self.names,
            tuple(self.images),
            self.files,
            self.tokens,
        )

    def plain(self, value: object) -> None:
        """A text, token ids, or a list of either."""
        if isinstance(value, str):
            self.texts.append(value)
        elif isinstance(value, list):
            ids = sum(isinstance(each, int) for each in value)
            self.tokens += ids
            for each in value if ids < len(value) else ():
                self.plain(each)
        else:
            self.json(value)

    def messages_of(self, body: Mapping[str, Any], name: str) -> None:
        """Of the member of that name, and of `instructions`."""
        self.message({"role": "developer", "content": body.get("instructions")}, optional=True)
        given = body.get(name)
        for item in given if isinstance(given, list) else [{"role": "user", "content": given}]:
            self.message(item)

    def message(self, item: object, *, optional: bool = False) -> None:
        """One message, or one item of a response's input."""
        if not isinstance(item, Mapping):
            self.json(item)
            return
        if optional and not item.get("content"):
            return
        self.messages += 1
        for name, value in item.items():
            if name in {"content", "output"}:
                self.content(value)
            elif isinstance(value, str):
                self.field(name, value, item.get("type"))
            else:
                self.json(value)

    def field(self, name: str, value: str, kind: object) -> None:
        """A field of an item of this kind: a text, or what stands for something else."""
        if name == "encrypted_content":
            self.tokens += len(value) // _SEALED_CHARS
        elif name == "result" and kind == "image_generation_call":
            self.images.append(Image(*size_of_base64(value)))
        elif name not in _UNREAD:
            self.texts.append(value)
            self.names += name == "name"

    def content(self, value: object) -> None:
        """A text, or a list of parts."""
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Mapping):
                self.part(part)
            else:
                self.plain(part)

    def part(self, part: Mapping[str, Any]) -> None:
        """A text, an image, a file, a sound; other parts as they are."""
        kind = str(part.get("type"))
        if "image" in kind or "screenshot" in kind:
            self.images.append(_image(part))
        elif "file" in kind or "audio" in kind:
            self.files += 1
        elif texts := [part[name] for name in _TEXTS if isinstance(part.get(name), str)]:
            self.texts += texts
        else:
            self.json(part)

    def json(self, value: object) -> None:
        """Whatever else there is, as it is written."""
        if value:
            self.texts.append(msgspec.json.encode(value).decode())


def _image(part: Mapping[str, Any]) -> Image:
    """Chat nests URL and detail in `image_url`; Responses have both beside the type."""
    nested = part.get("image_url")
    where: Mapping[str, Any] = nested if isinstance(nested, Mapping) else part
    url = where.get("url") if isinstance(nested, Mapping) else nested
    width, height = size_of(url) if isinstance(url, str) else (0, 0)
    return Image(width, height, str(where.get("detail") or "auto"))
