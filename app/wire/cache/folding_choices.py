"""Chunks of chat and legacy completions, folded into the body of an answer that is not streamed.

What is known of a chunk is merged as SDKs merge it (openai-python's `accumulate_delta`); of what is
not known, only what does not change from chunk to chunk can be kept.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage
from app.wire.cache.merging import (
    Text,
    Unfoldable,
    extend,
    keep_same,
    merge_filter_results,
    weight,
)
from app.wire.cache.unkept import Unkept, is_filtered

Fields = dict[str, Any]

#: What a delta says in pieces of text; the last two are other servers' names for thoughts.
_TEXTS: Final = frozenset({"content", "refusal", "reasoning_content", "reasoning"})
#: What belongs to a stream only, as does padding: which piece it is, and how far a filter had got.
_OF_STREAMS: Final = frozenset({"index", "object", "content_filter_offsets"})
_ANNOTATIONS: Final = frozenset({"prompt_filter_results", "prompt_annotations"})
_LATEST: Final = frozenset({"usage", "system_fingerprint", "service_tier"})
_OBJECT: Final = {
    Operation.CHAT_COMPLETIONS: "chat.completion",
    Operation.COMPLETIONS: "text_completion",
}


class ChoicesFolding:
    """One stream on its way to one body; `size` is about how long that is by now, in bytes."""

    def __init__(self, operation: Operation) -> None:
        self.size = 0
        self._is_chat = operation is Operation.CHAT_COMPLETIONS
        self._body: Fields = {"object": _OBJECT[operation]}
        self._choices: dict[int, _Choice] = {}
        self._last: Fields = {}  # the chunk before, without its choices
        self._done = False

    def take(self, data: bytes) -> None:
        """Take the data of one event. Raises Unfoldable, and msgspec's errors for no JSON."""
        if self._done:
            raise Unfoldable  # who reads the stream does not read on
        if data.startswith(b"[DONE]"):
            self._done = True
            return
        chunk = msgspec.json.decode(data)
        if not isinstance(chunk, dict):
            raise Unfoldable(Unkept.UNREADABLE)
        if chunk.get("error"):
            raise Unfoldable(Unkept.ERROR)
        choices = chunk.pop("choices", None)
        chunk.pop("obfuscation", None)
        if chunk != self._last:  # what stands beside the choices is mostly the same as before
            self._last = chunk
            for name, value in chunk.items():
                self._member(name, value)
        for choice in choices or ():
            self._choice(choice)

    def body(self, usage: Usage | None) -> bytes:
        """The body; `usage` is for a stream that does not tell it. Raises Unfoldable."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        if not self._done or not choices or not all(each.is_finished for each in choices):
            raise Unfoldable(Unkept.UNFINISHED)
        whole = self._body | {"choices": [each.whole(is_chat=self._is_chat) for each in choices]}
        if not whole.get("usage"):
            whole.pop("usage", None)
            if usage is not None:
                whole["usage"] = usage_fields(usage)
        return msgspec.json.encode(whole)

    def _member(self, name: str, value: Any) -> None:
        if name in _ANNOTATIONS:
            known = self._body.get(name) or []
            news = [each for each in value or () if each not in known]
            self.size += weight(news)
            extend(self._body, name, news)
        elif name in _LATEST:
            self._body[name] = value or self._body.get(name)
        elif name == "created":
            self._body[name] = self._body.get(name) or value
        elif name not in _OF_STREAMS and value != "":
            # Annotations come without identity: their id and model are empty.
            self.size += 0 if name in self._body else weight(value)
            keep_same(self._body, name, value)

    def _choice(self, choice: Any) -> None:
        if not isinstance(choice, dict) or type(choice.get("index")) is not int:
            raise Unfoldable(Unkept.UNREADABLE)
        index = choice["index"]
        known = self._choices.get(index)
        if known is None:
            known = self._choices[index] = _Choice(index)
        self.size += known.take(choice)


class _Choice:
    """One choice, chat's or a completion's."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._role: str | None = None
        self._texts: dict[str, Text] = {}
        self._calls: dict[int, _Call] = {}
        self._function: _Call | None = None
        self._lists: Fields = {}  # of the message
        self._filter: Fields | None = None
        self._last: Fields = {}  # the piece before, without what it said
        self._logprobs: Fields | None = None
        self._finish: str | None = None
        self._rest: Fields = {}

    @property
    def is_finished(self) -> bool:
        """Whether a reason to end has come."""
        return self._finish is not None

    def take(self, choice: Fields) -> int:
        """How much longer the body gets by it, about."""
        grown = 0
        for name, piece in (choice.pop("delta", None) or {}).items():
            grown += self._grown(name, piece)
            self._delta(name, piece)
        if "text" in choice:
            grown += self._grown("text", choice["text"])
            self._text("text", choice.pop("text"))
        logprobs = choice.pop("logprobs", None)
        grown += self._grown("logprobs", logprobs)
        self._add_logprobs(logprobs)
        if choice != self._last:
            self._last = choice
            for name, value in choice.items():
                grown += self._member(name, value)
        return grown

    def _grown(self, name: str, piece: Any) -> int:
        """Raises Unfoldable for what is said after the end, which an SDK would or would not add."""
        if not piece or name == "role":
            return 0
        if self.is_finished:
            raise Unfoldable
        return len(piece) if isinstance(piece, str) else weight(piece)

    def _member(self, name: str, value: Any) -> int:
        if name == "finish_reason":
            if value == "content_filter":
                raise Unfoldable(Unkept.FILTERED)
            if value and self._finish not in (None, value):
                raise Unfoldable
            self._finish = value or self._finish
        elif name == "content_filter_results":
            if is_filtered(value):
                raise Unfoldable(Unkept.FILTERED)
            self._filter = self._filter or {}
            before = len(self._filter)
            merge_filter_results(self._filter, value)
            return weight(value) if len(self._filter) > before else 0
        elif name not in _OF_STREAMS:
            before = len(self._rest)
            keep_same(self._rest, name, value)
            return weight(value) if len(self._rest) > before else 0
        return 0

    def whole(self, *, is_chat: bool) -> Fields:
        choice: Fields = {"index": self._index, "finish_reason": self._finish}
        choice |= {"logprobs": self._logprobs, **self._rest}
        if self._filter is not None:
            choice["content_filter_results"] = self._filter
        texts = {name: text.whole() for name, text in self._texts.items()}
        if is_chat:
            choice["message"] = self._message(texts)
        else:
            choice["text"] = texts.get("text") or ""
        return choice

    def _message(self, texts: Fields) -> Fields:
        message: Fields = {"role": self._role or "assistant", "content": None, "refusal": None}
        message |= {"annotations": [], **texts, **self._lists}
        if self._calls:
            message["tool_calls"] = [self._calls[index].whole for index in sorted(self._calls)]
        if self._function is not None:
            message["function_call"] = self._function.whole
        return message

    def _text(self, name: str, piece: object) -> None:
        known = self._texts.get(name)
        if known is None:
            known = self._texts[name] = Text()
        known.add(piece)

    def _delta(self, name: str, piece: Any) -> None:
        if name in _TEXTS:
            self._text(name, piece)
        elif name == "role":
            self._role = self._role or piece
        elif name == "tool_calls":
            for call in piece or ():
                self._call(call)
        elif name == "function_call" and piece is not None:
            self._function = self._function or _Call()
            self._function.take(piece)
        elif name == "annotations":
            extend(self._lists, name, piece or [])
        elif piece is not None:
            raise Unfoldable

    def _call(self, call: Any) -> None:
        if not isinstance(call, dict) or type(call.get("index")) is not int:
            raise Unfoldable
        index = call["index"]
        known = self._calls.get(index)
        if known is None:
            known = self._calls[index] = _Call()
        known.take(call)

    def _add_logprobs(self, logprobs: Any) -> None:
        if logprobs is None:
            return
        if not isinstance(logprobs, dict):
            raise Unfoldable
        if self._logprobs is None:
            self._logprobs = {}
        for name, entries in logprobs.items():
            extend(self._logprobs, name, entries)


class _Call:
    """A call of a tool; of a function by itself, too, whose strings stand in it directly."""

    def __init__(self) -> None:
        self._same: Fields = {}
        self._texts: dict[str, dict[str, Text]] = {}
        self._own: dict[str, Text] = {}

    def take(self, piece: Any) -> None:
        if not isinstance(piece, dict):
            raise Unfoldable
        for name, value in piece.items():
            if name in {"name", "arguments"}:
                self._own.setdefault(name, Text()).add(value)
            elif name in {"function", "custom"}:
                texts = self._texts.setdefault(name, {})
                for part, text in (value or {}).items():
                    texts.setdefault(part, Text()).add(text)
            elif name != "index" and value not in (None, ""):
                keep_same(self._same, name, value)

    @property
    def whole(self) -> Fields:
        nested = {name: _whole(texts) for name, texts in self._texts.items()}
        return self._same | nested | _whole(self._own)


def _whole(texts: dict[str, Text]) -> Fields:
    return {name: text.whole() for name, text in texts.items()}


def usage_fields(usage: Usage) -> Fields:
    """The usage object of chat and legacy completions (OpenAI's CompletionUsage)."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
