"""The body of a chat or legacy completion, told as the chunks of a stream.

Shapes and order as Azure and OpenAI send them: the prompt's annotations without identity, a chunk
with the role of each choice, content, calls (name first, then arguments), the reasons to end, the
usage where it was asked for. Choices take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from app.domain.call.request import Operation
from app.wire.cache.pieces import pieces_of, tokens_of
from app.wire.cache.told import DONE, PLACE, Told, around_place, data_frame

Fields = dict[str, Any]

_ANNOTATIONS: Final = ("prompt_filter_results", "prompt_annotations")
_ANONYMOUS: Final[Fields] = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
_CHUNK: Final = {
    Operation.CHAT_COMPLETIONS: "chat.completion.chunk",
    Operation.COMPLETIONS: "text_completion",
}
#: In the order in which a model writes them.
_THOUGHTS: Final = ("reasoning_content", "reasoning")
_OF_CHOICE: Final = frozenset(
    {"index", "message", "text", "finish_reason", "logprobs", "content_filter_results"}
)
#: Of a call, the string that comes in pieces.
_IN_PIECES: Final = {"function": "arguments", "custom": "input"}
#: What a message says that is told piece by piece; anything else comes with the role.
_IN_TURN: Final = frozenset(
    {*_THOUGHTS, "content", "refusal", "annotations", "tool_calls", "function_call"}
)


def tell_choices(
    operation: Operation, body: Mapping[str, Any], *, include_usage: bool
) -> Iterator[Told]:
    """The frames of the stream, each made when it is asked for."""
    chunks = _Chunks.of(operation, body, include_usage=include_usage)
    for name in _ANNOTATIONS:
        if body.get(name):
            yield Told(data_frame(_ANONYMOUS | chunks.usage_null | {name: body[name]}))
    choices = [_Choice(chunks, choice, at) for at, choice in enumerate(body["choices"])]
    if operation is Operation.CHAT_COMPLETIONS:
        for choice in choices:
            yield choice.opening()
    yield from _taking_turns(choice.pieces() for choice in choices)
    for choice in choices:
        yield choice.ending()
    if include_usage and body.get("usage") is not None:
        yield Told(data_frame(chunks.base | {"choices": [], "usage": body["usage"]}))
    yield DONE


def _taking_turns(streams: Iterable[Iterator[Told]]) -> Iterator[Told]:
    waiting = deque(streams)
    while waiting:
        stream = waiting.popleft()
        told = next(stream, None)
        if told is not None:
            yield told
            waiting.append(stream)


class _Chunks(msgspec.Struct, frozen=True):
    """What all chunks of a stream have in common."""

    base: Fields
    usage_null: Fields  # chunks have a usage of null where the last one is to have one
    is_chat: bool

    @classmethod
    def of(cls, operation: Operation, body: Mapping[str, Any], *, include_usage: bool) -> _Chunks:
        apart = {"choices", "usage", *_ANNOTATIONS}
        base = {name: value for name, value in body.items() if name not in apart}
        usage_null = {"usage": None} if include_usage else {}
        is_chat = operation is Operation.CHAT_COMPLETIONS
        return cls(base | {"object": _CHUNK[operation]}, usage_null, is_chat)

    def frame(self, choice: Fields) -> bytes:
        return data_frame(self.base | {"choices": [choice]} | self.usage_null)


class _Choice:
    """One choice, told piece by piece."""

    def __init__(self, chunks: _Chunks, choice: Mapping[str, Any], at: int) -> None:
        self._chunks = chunks
        self._index = choice.get("index", at)
        self._choice = choice
        self._said: Mapping[str, Any] = choice.get("message") or choice
        self._verdicts = choice.get("content_filter_results")
        self._logprobs: Mapping[str, Any] = choice.get("logprobs") or {}
        self._told_verdicts = False

    def opening(self) -> Told:
        """The role; content is null where there is none, and empty where some follows."""
        delta = {name: each for name, each in self._said.items() if name not in _IN_TURN}
        delta |= {"content": None if self._said.get("content") is None else "", "refusal": None}
        logprobs = {name: self._before(name, each) for name, each in self._logprobs.items()}
        return Told(self._frame({"delta": delta, "logprobs": logprobs or None}))

    def _before(self, name: str, entries: Any) -> Any:
        """The part of the log probabilities that does not come with text."""
        return [] if entries and self._said.get(name) else entries

    def pieces(self) -> Iterator[Told]:
        """Everything that it says."""
        if not self._chunks.is_chat:
            yield from self._legacy_text()
            return
        for name in _THOUGHTS:
            yield from self._text({}, name, self._said.get(name))
        for name in ("content", "refusal"):
            yield from self._chat_text(name)
        if self._said.get("annotations"):
            yield Told(self._frame({"delta": {"annotations": self._said["annotations"]}}))
        yield from self._calls()

    def ending(self) -> Told:
        """Why it ends, and whatever else is known of it."""
        rest = {name: each for name, each in self._choice.items() if name not in _OF_CHOICE}
        content: Fields = {"delta": {}} if self._chunks.is_chat else {"text": ""}
        ends = {"finish_reason": self._choice.get("finish_reason")}
        return Told(self._frame(content | ends | rest, is_last=True))

    def _chat_text(self, name: str) -> Iterator[Told]:
        text, entries = self._said.get(name), self._logprobs.get(name)
        if not text or not entries:
            yield from self._text({}, name, text)
            return
        for piece, own in tokens_of(text, entries):
            logprobs = {"content": None, "refusal": None, name: own}
            choice = {"delta": {name: piece}, "logprobs": logprobs}
            yield Told(self._frame(choice, tells=True), len(own))

    def _legacy_text(self) -> Iterator[Told]:
        text, tokens = self._said.get("text") or "", self._logprobs.get("tokens") or []
        if not self._logprobs:
            yield from self._text(None, "text", text)
        elif not tokens or "".join(map(str, tokens)) != text:  # escapes show half characters
            yield Told(self._frame({"text": text, "logprobs": self._logprobs}, tells=True), 1)
        else:
            for at, token in enumerate(tokens):
                choice = {"text": token, "logprobs": self._logprobs_at(at)}
                yield Told(self._frame(choice, tells=True), 1)

    def _logprobs_at(self, at: int) -> Fields:
        lists = self._logprobs.items()
        return {name: each[at : at + 1] if each is not None else None for name, each in lists}

    def _calls(self) -> Iterator[Told]:
        for index, call in enumerate(self._said.get("tool_calls") or ()):
            kind = next((kind for kind in _IN_PIECES if kind in call), "function")
            called, text = call.get(kind) or {}, _IN_PIECES[kind]
            known: Fields = {**call, "index": index, kind: {**called, text: ""}}
            yield Told(self._frame({"delta": {"tool_calls": [known]}}))
            piece: Fields = {"tool_calls": [{"index": index, kind: {text: PLACE}}]}
            yield from self._text(piece, text, called.get(text))
        function = self._said.get("function_call")
        if function:
            yield Told(self._frame({"delta": {"function_call": {**function, "arguments": ""}}}))
            piece = {"function_call": {"arguments": PLACE}}
            yield from self._text(piece, "arguments", function.get("arguments"))

    def _text(self, delta: Fields | None, name: str, text: str | None) -> Iterator[Told]:
        """A text in pieces: of chunks that differ in nothing else, only the piece is encoded.

        `delta` has the piece's place in it, if it is not just called `name`; None: no delta.
        """
        if not text:
            return
        choice: Fields = {name: PLACE} if delta is None else {"delta": delta or {name: PLACE}}
        before, after = around_place(self._frame(choice, tells=True))
        for piece in pieces_of(text):
            yield Told(before + msgspec.json.encode(piece) + after, 1)

    def _frame(self, choice: Fields, *, tells: bool = False, is_last: bool = False) -> bytes:
        """A chunk of this choice; pieces have the filter's verdicts, the last one if there is none.

        As the asynchronous filter does not know them beforehand, they are `{}` elsewhere.
        """
        whole = {"index": self._index, "finish_reason": None, "logprobs": None} | choice
        if self._verdicts is not None:
            tells = tells or (is_last and not self._told_verdicts)
            self._told_verdicts = self._told_verdicts or tells
            whole["content_filter_results"] = self._verdicts if tells else {}
        return self._chunks.frame(whole)
