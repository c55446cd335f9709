"""Answers of chat completions and legacy completions, whole and as streams.

Azure: content streaming page, 2026-01, and recorded streams: prompt annotations come first, in a
chunk without choices; with the asynchronous filter, annotations without a delta may follow the
finish reason; usage comes last when asked for, and is null before only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.simulator.answer import Answer
from app.simulator.ask import Ask
from app.simulator.envelope import Envelope, Frame, Json, data_frame, done_frame
from app.simulator.logprobs import chat_logprobs, legacy_logprobs
from app.simulator.refusal import safe_categories

ASYNC_FILTER_MARKER: Final = "[[async_filter]]"
_FINGERPRINT: Final = "fp_5a1e6d7a3c"
_SAFE: Final = safe_categories()


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer ready to be told; `usage` is None where none is to be reported."""

    envelope: Envelope
    ask: Ask
    answers: list[Answer]
    usage: Json | None
    is_chat: bool


def completion_body(completion: Completion) -> Json:
    """The answer to a request that does not stream."""
    body = {
        "choices": [_choice(completion, index) for index in range(len(completion.answers))],
        "created": completion.envelope.created,
        "id": completion.envelope.id,
        "model": completion.envelope.model,
        "object": "chat.completion" if completion.is_chat else "text_completion",
        "system_fingerprint": _FINGERPRINT,
    }
    if completion.is_chat:
        body["service_tier"] = "default"
    if completion.envelope.on_azure:
        body["prompt_filter_results"] = _prompt_annotations(completion.ask)
    if completion.usage is not None:
        body["usage"] = completion.usage
    return body


def completion_frames(completion: Completion) -> Iterator[Frame]:
    """The answer as events, about one token each; choices take turns."""
    chunks = _Chunks(completion)
    if completion.envelope.on_azure:
        yield chunks.annotations()
    if completion.is_chat:
        yield from map(chunks.opening, range(len(completion.answers)))
    yield from _piece_frames(completion, chunks)
    yield from _finish_frames(completion, chunks)
    if completion.ask.include_usage and completion.usage is not None:
        yield chunks.usage(completion.usage)
    yield done_frame()


def _piece_frames(completion: Completion, chunks: _Chunks) -> Iterator[Frame]:
    for step in range(max(len(answer.pieces) for answer in completion.answers)):
        for index, answer in enumerate(completion.answers):
            if step < len(answer.pieces):
                yield chunks.piece(index, step)


def _finish_frames(completion: Completion, chunks: _Chunks) -> Iterator[Frame]:
    annotated = completion.envelope.on_azure and ASYNC_FILTER_MARKER in completion.ask.text
    for index in range(len(completion.answers)):
        if annotated:
            yield chunks.late_annotation(index)
        yield chunks.finish(index)
        if annotated:
            yield chunks.late_annotation(index)


class _Chunks:
    """The chunks of one stream."""

    def __init__(self, completion: Completion) -> None:
        self._completion = completion
        self._azure = completion.envelope.on_azure
        self._call_id = "call_" + completion.envelope.id[-24:]
        self._base: Json = {
            "id": completion.envelope.id,
            "object": "chat.completion.chunk" if completion.is_chat else "text_completion",
            "created": completion.envelope.created,
            "model": completion.envelope.model,
            "system_fingerprint": _FINGERPRINT,
        }
        if completion.ask.include_usage:
            self._base["usage"] = None

    def annotations(self) -> Frame:
        annotations = _prompt_annotations(self._completion.ask)
        return data_frame(self._anonymous({"choices": [], "prompt_filter_results": annotations}))

    def opening(self, index: int) -> Frame:
        answer = self._completion.answers[index]
        delta: Json = {"role": "assistant", "content": "", "refusal": None}
        if answer.call is not None:
            function = {"name": answer.call, "arguments": ""}
            delta["content"] = None
            delta["tool_calls"] = [
                {
                    "index": 0,
                    "id": f"{self._call_id}{index}",
                    "type": "function",
                    "function": function,
                }
            ]
        return self._chunk(index, {"delta": delta, "finish_reason": None, "logprobs": None}, {})

    def piece(self, index: int, step: int) -> Frame:
        answer = self._completion.answers[index]
        piece = answer.pieces[step]
        top = self._completion.ask.logprobs
        if not self._completion.is_chat:
            offset = sum(map(len, answer.pieces[:step])) if top is not None else 0
            logprobs = None if top is None else legacy_logprobs([piece], top, offset=offset)
            choice = {"text": piece, "finish_reason": None, "logprobs": logprobs}
        elif answer.call is not None:
            call = {"index": 0, "function": {"arguments": piece}}
            choice = {"delta": {"tool_calls": [call]}, "finish_reason": None, "logprobs": None}
        else:
            logprobs = None if top is None else chat_logprobs([piece], top)
            choice = {"delta": {"content": piece}, "finish_reason": None, "logprobs": logprobs}
        return self._chunk(index, choice, _SAFE, tokens=1)

    def finish(self, index: int) -> Frame:
        finish = self._completion.answers[index].finish
        content: Json = {"delta": {}} if self._completion.is_chat else {"text": ""}
        return self._chunk(index, {**content, "finish_reason": finish, "logprobs": None}, {})

    def late_annotation(self, index: int) -> Frame:
        """What the asynchronous filter found, about text that was sent before."""
        length = len(self._completion.answers[index].text)
        choice = {
            "index": index,
            "finish_reason": None,
            "content_filter_results": _SAFE,
            "content_filter_offsets": {
                "check_offset": length,
                "start_offset": 0,
                "end_offset": length,
            },
        }
        return data_frame(self._anonymous({"choices": [choice]}))

    def usage(self, usage: Json) -> Frame:
        return data_frame({**self._base, "choices": [], "usage": usage})

    def _chunk(self, index: int, choice: Json, verdict: Json, *, tokens: int = 0) -> Frame:
        choice["index"] = index
        if self._azure:
            choice["content_filter_results"] = verdict
        return data_frame({**self._base, "choices": [choice]}, tokens=tokens)

    def _anonymous(self, rest: Json) -> Json:
        """Annotation chunks come without identity."""
        empty: Json = {"id": "", "object": "", "created": 0, "model": ""}
        if "usage" in self._base:
            empty["usage"] = None
        return empty | rest


def _choice(completion: Completion, index: int) -> Json:
    answer = completion.answers[index]
    top = completion.ask.logprobs
    choice: Json = {"index": index, "finish_reason": answer.finish}
    if completion.is_chat:
        choice["message"] = _message(completion, index)
        choice["logprobs"] = None if top is None else chat_logprobs(answer.pieces, top)
    else:
        choice["text"] = answer.text
        choice["logprobs"] = None if top is None else legacy_logprobs(answer.pieces, top)
    if completion.envelope.on_azure:
        choice["content_filter_results"] = _SAFE
    return choice


def _message(completion: Completion, index: int) -> Json:
    answer = completion.answers[index]
    message: Json = {"role": "assistant", "content": answer.text, "refusal": None}
    message["annotations"] = []
    if answer.call is not None:
        function = {"name": answer.call, "arguments": answer.text}
        call_id = f"call_{completion.envelope.id[-24:]}{index}"
        message["content"] = None
        message["tool_calls"] = [{"id": call_id, "type": "function", "function": function}]
    return message


def _prompt_annotations(ask: Ask) -> list[Json]:
    return [
        {"prompt_index": index, "content_filter_results": _SAFE}
        for index in range(len(ask.prompts))
    ]
