"""The body of a response, told as the events of a stream.

Order and shapes: OpenAI's specification (openai-python 3.51) and recorded streams of Azure's v1
surface. Every item is announced, told in pieces, and then repeated whole, as upstreams do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from app.wire.cache.pieces import pieces_of, tokens_of
from app.wire.cache.told import PLACE, Told, around_place, event_frame

Fields = dict[str, Any]

#: What is not known of a response when it begins, as it is then.
_NOT_YET: Final[Fields] = {
    "completed_at": None,
    "error": None,
    "incomplete_details": None,
    "output": [],
    "status": "in_progress",
    "usage": None,
}
#: Calls: the string that comes in pieces, and the name of its events.
_CALLS: Final = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
}
#: Parts of content: the same of theirs.
_PARTS: Final = {
    "output_text": ("text", "response.output_text"),
    "refusal": ("refusal", "response.refusal"),
    "reasoning_text": ("text", "response.reasoning_text"),
}


def tell_response(body: Mapping[str, Any]) -> Iterator[Told]:
    """The frames of the stream, each made when it is asked for."""
    yield from _Telling().response(body)


class _Telling:
    """Tells one response, and numbers its events."""

    def __init__(self) -> None:
        self._number = 0

    def response(self, body: Mapping[str, Any]) -> Iterator[Told]:
        known = {name: value for name, value in _NOT_YET.items() if name in body}
        begun = {"response": {**body, **known, "status": "in_progress"}}
        yield self._event("response.created", begun)
        yield self._event("response.in_progress", begun)
        for index, item in enumerate(body.get("output") or ()):
            yield from self._item(item, {"output_index": index})
        ending = "incomplete" if body.get("status") == "incomplete" else "completed"
        yield self._event(f"response.{ending}", {"response": body})

    def _item(self, item: Mapping[str, Any], at: Fields) -> Iterator[Told]:
        yield self._event("response.output_item.added", {"item": _announced(item), **at})
        inside = {"item_id": item.get("id", ""), **at}
        kind = item.get("type")
        if kind in _CALLS:
            name, events = _CALLS[kind]
            yield from self._text(events, name, item.get(name), inside)
        for index, summary in enumerate(item.get("summary") or ()):
            yield from self._summary(summary, {**inside, "summary_index": index})
        if kind in {"message", "reasoning"}:
            for index, part in enumerate(item.get("content") or ()):
                yield from self._part(part, {**inside, "content_index": index})
        yield self._event("response.output_item.done", {"item": item, **at})

    def _part(self, part: Mapping[str, Any], at: Fields) -> Iterator[Told]:
        name, events = _PARTS.get(str(part.get("type")), ("", ""))
        empty: Fields = {each: [] for each in ("annotations", "logprobs") if each in part}
        announced = {**part, **empty, name: ""} if name else part
        yield self._event("response.content_part.added", {**at, "part": announced})
        if events == "response.output_text":
            yield from self._output_text(part, at)
        elif events:
            yield from self._text(events, name, part.get(name), at)
        yield self._event("response.content_part.done", {**at, "part": part})

    def _output_text(self, part: Mapping[str, Any], at: Fields) -> Iterator[Told]:
        """Text with the log probabilities of its tokens, and what it cites."""
        text, entries = part.get("text") or "", part.get("logprobs") or []
        if entries:
            for piece, own in tokens_of(text, entries):
                delta = {**at, "delta": piece, "logprobs": own}
                yield self._event("response.output_text.delta", delta, tokens=len(own))
        else:
            yield from self._deltas("response.output_text.delta", text, {**at, "logprobs": []})
        for index, annotation in enumerate(part.get("annotations") or ()):
            cited = {**at, "annotation_index": index, "annotation": annotation}
            yield self._event("response.output_text.annotation.added", cited)
        done = {**at, "text": text, "logprobs": entries}
        yield self._event("response.output_text.done", done)

    def _summary(self, summary: Mapping[str, Any], at: Fields) -> Iterator[Told]:
        part, text = "response.reasoning_summary_part", "response.reasoning_summary_text"
        yield self._event(f"{part}.added", {**at, "part": {**summary, "text": ""}})
        yield from self._text(text, "text", summary.get("text"), at)
        yield self._event(f"{part}.done", {**at, "part": summary})

    def _text(self, events: str, name: str, text: str | None, at: Fields) -> Iterator[Told]:
        yield from self._deltas(f"{events}.delta", text or "", at)
        yield self._event(f"{events}.done", {**at, name: text or ""})

    def _deltas(self, kind: str, text: str, at: Fields) -> Iterator[Told]:
        """Of events that differ in nothing else, only piece and number are encoded."""
        frame = event_frame(kind, {"type": kind, **at, "delta": PLACE, "sequence_number": 0})
        before, _ = around_place(frame)
        for piece in pieces_of(text):
            number = b',"sequence_number":%d}\n\n' % self._number
            self._number += 1
            yield Told(before + msgspec.json.encode(piece) + number, 1)

    def _event(self, kind: str, data: Fields, *, tokens: int = 0) -> Told:
        numbered = {"type": kind, **data, "sequence_number": self._number}
        self._number += 1
        return Told(event_frame(kind, numbered), tokens)


def _announced(item: Mapping[str, Any]) -> Fields:
    """An item before anything of it was told."""
    nothing: Fields = {}
    if "status" in item:
        nothing["status"] = "in_progress"
    kind = item.get("type")
    if kind in _CALLS:
        nothing[_CALLS[kind][0]] = ""
    elif kind in {"message", "reasoning"}:
        nothing |= {name: [] for name in ("content", "summary") if item.get(name) is not None}
    return {**item, **nothing}
