"""The text of an answer as it was relayed, counted where the upstream told no usage.

What is looked at in a stream: `content`, `refusal`, `reasoning_content`, `transcript`, `text` and a
tool's `name` and `arguments` or `input` in chunks of chat and legacy completions; `delta` in the
events of the Responses API, whose other events repeat the same text. Not seen: reasoning that is
not shown, audio, generated images. Citations that an upstream quotes inside a delta are counted
too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from app.wire.answer_edges import AnswerEdges

#: Bytes of text that are kept of one answer; of what comes after, only the number of bytes.
_KEPT_BYTES: Final = 64 * 1024

_VALUE: Final = rb'\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"'
#: A quotation mark inside of a JSON string has a backslash before it, so these names are names.
_CHUNK: Final = re.compile(
    rb'"(?:content|text|arguments|input|name|refusal|reasoning_content|transcript)"' + _VALUE,
    re.DOTALL,
)
_EVENT: Final = re.compile(rb'"delta"' + _VALUE, re.DOTALL)
_IS_EVENT: Final = re.compile(rb'"type"\s*:\s*"response\.')
_DATA: Final = b"data:"
#: Kinds of tools that chats call, by which a call has its own words.
_TOOLS: Final = ("function", "custom")


class RelayedText(msgspec.Struct, eq=False, gc=False):
    """Collects the text of one answer; 64 KiB of it are kept, and a frame more at most.

    Most answers tell their usage in the end, and nobody asks for their text: frames are kept as
    they came, up to 64 KiB of them, and read when there are more or somebody asks. What is read
    the edges are told of, where somebody looks at them.
    """

    edges: AnswerEdges | None = None
    unread: list[bytes] = []
    _kept: bytearray = bytearray()
    _missed: int = 0  # bytes of text that were not kept
    _texts: Callable[[bytes], list[bytes]] | None = None
    _body: bytes = b""
    _unread_bytes: int = 0

    def add(self, frames: bytes) -> None:
        """Take whole frames of a stream."""
        self.unread.append(frames)
        self._unread_bytes += len(frames)
        if self._unread_bytes > _KEPT_BYTES:
            self._read()

    def add_body(self, body: bytes) -> None:
        """Take the whole body of an answer that is no stream; it is read when it is counted."""
        self._body = body

    def text(self) -> str:
        """The text that was kept, of all choices in the order in which it came."""
        self._read()
        return _unescaped(bytes(self._kept))

    def tokens(self, count: Callable[[str], int]) -> int:
        """Tokens of the text by `count`; what was not kept is taken to be like what was."""
        if self._body:
            return tokens_of_body(self._body, count)
        kept = count(self.text())
        return kept + round(kept * self._missed / len(self._kept)) if self._missed else kept

    def _read(self) -> None:
        unread, self.unread = self.unread, []
        self._unread_bytes = 0
        if self.edges is not None:
            self.edges.add(*unread)
        texts = self._texts = self._texts or _texts_of(unread)
        for text in texts(b"".join(unread)) if texts is not None else ():
            if len(self._kept) < _KEPT_BYTES:
                self._kept += text
            else:
                self._missed += len(text)


def _texts_of(reads: list[bytes]) -> Callable[[bytes], list[bytes]] | None:
    """What finds texts in such frames; None: comments only, not known yet whose events come."""
    for frames in reads:
        if _DATA in frames:
            return (_EVENT if _IS_EVENT.search(frames) else _CHUNK).findall
    return None


class _Answer(msgspec.Struct):
    """Of a whole body what has text; an embedding's numbers are not built."""

    choices: list[dict[str, Any]] | None = None
    output: list[dict[str, Any]] | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def tokens_of_body(body: bytes, count: Callable[[str], int]) -> int:
    """Tokens that a whole answer has generated, by `count`, whose upstream told no usage.

    Embeddings have generated none. Of a body that cannot be read, all is taken for text.
    """
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _counted(body.decode("utf-8", "replace"), count)
    texts = [text for choice in answer.choices or [] for text in _choice_texts(choice)]
    texts += [text for item in answer.output or [] for text in _item_texts(item)]
    return _counted("".join(texts), count)


def _choice_texts(choice: Mapping[str, Any]) -> Iterable[str]:
    message = choice.get("message")
    if not isinstance(message, dict):
        return _strings(choice, "text")
    texts = _strings(message, "content", "refusal", "reasoning_content")
    called = [call.get(kind) for call in _objects(message.get("tool_calls")) for kind in _TOOLS]
    for tool in _objects([*called, message.get("function_call")]):
        texts += _strings(tool, "name", "arguments", "input")
    return texts


def _item_texts(item: Mapping[str, Any]) -> Iterable[str]:
    """An item of the Responses API: parts of a message or of reasoning, or a call."""
    texts = _strings(item, "name", "arguments", "input", "code")
    for name in ("content", "summary"):
        for part in _objects(item.get(name)):
            texts += _strings(part, "text", "refusal")
    return texts


def _objects(values: object) -> list[dict[str, Any]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _strings(fields: Mapping[str, Any], *names: str) -> list[str]:
    values = (fields.get(name) for name in names)
    return [value for value in values if isinstance(value, str)]


def _counted(text: str, count: Callable[[str], int]) -> int:
    """Tokens of `text`, of which no more is counted than is kept of a stream."""
    tokens = count(text[:_KEPT_BYTES])
    return round(tokens * len(text) / _KEPT_BYTES) if len(text) > _KEPT_BYTES else tokens


def _unescaped(text: bytes) -> str:
    """JSON's escapes undone; where they are none of JSON's, the text as it is."""
    raw = text.decode("utf-8", "replace")
    try:
        decoded: str = json.loads(f'"{raw}"', strict=False)
    except ValueError:
        return raw
    return decoded
