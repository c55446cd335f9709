"""Which whole answers are worth keeping, by what their bodies say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain.request import Operation
from app.wire.usage import UsageFields

_FINISHED: Final = frozenset({"stop", "length", "tool_calls", "function_call"})
#: Items of a response that the model wrote itself; what tools made may not be there any more.
_OWN_ITEMS: Final = frozenset({"message", "reasoning", "function_call", "custom_tool_call"})
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})


class Unkept(StrEnum):
    """Why an answer is not kept; a closed set.

    CUT and REFUSAL are kept for the same request all the same: with the same cap the same comes
    out. For another request that means the same they stand for nothing.
    """

    UNREADABLE = "unreadable"  # no answer of its operation
    UNFINISHED = "unfinished"
    ERROR = "error"
    FILTERED = "filtered"  # content was withheld, or may have been
    EMPTY = "empty"  # it says nothing
    NO_USAGE = "no_usage"
    AUDIO = "audio"  # its id expires
    UNFOLDABLE = "unfoldable"  # a stream with something that a whole body would not have
    CUT = "cut"
    REFUSAL = "refusal"

    @property
    def for_the_same(self) -> bool:
        """Whether it may be kept for the same request, not for one that means the same."""
        return self in {Unkept.CUT, Unkept.REFUSAL}


class _Embeddings(msgspec.Struct):
    """An embedding's numbers are not built."""

    data: list[msgspec.Raw]


_EMBEDDINGS: Final = msgspec.json.Decoder(_Embeddings)


class _Counted(msgspec.Struct):
    usage: UsageFields | None = None


_COUNTED: Final = msgspec.json.Decoder(_Counted)


def unkept(operation: Operation, body: bytes) -> Unkept | None:
    """Why the whole body of an accepted answer is not kept; None: it is, for whoever it fits."""
    try:
        counted = _COUNTED.decode(body).usage
        found = _of_embeddings(body) if operation is Operation.EMBEDDINGS else _of(operation, body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Unkept.UNREADABLE
    if (found is None or found.for_the_same) and (counted is None or counted.usage() is None):
        return Unkept.NO_USAGE
    return found


def _of_embeddings(body: bytes) -> Unkept | None:
    return None if _EMBEDDINGS.decode(body).data else Unkept.EMPTY


def _of(operation: Operation, body: bytes) -> Unkept | None:
    answer = msgspec.json.decode(body)
    if not isinstance(answer, Mapping):
        return Unkept.UNREADABLE
    if answer.get("error"):
        return Unkept.ERROR
    if operation is Operation.RESPONSES:
        return _of_response(answer)
    return _of_choices(answer)


def _first(found: Iterable[Unkept | None]) -> Unkept | None:
    """What weighs most: a reason that holds for all, else one that holds for others."""
    reasons = [each for each in found if each is not None]
    return min(reasons, key=lambda each: each.for_the_same, default=None)


def _of_choices(answer: Mapping[str, Any]) -> Unkept | None:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        return Unkept.UNREADABLE
    return _first(map(_of_choice, choices))


def _of_choice(choice: object) -> Unkept | None:
    if not isinstance(choice, Mapping):
        return Unkept.UNREADABLE
    finish = choice.get("finish_reason")
    if finish == "content_filter" or is_filtered(choice.get("content_filter_results")):
        return Unkept.FILTERED
    if finish not in _FINISHED:
        return Unkept.UNFINISHED
    said = choice.get("message", choice)
    found = _of_message(said) if isinstance(said, Mapping) else Unkept.UNREADABLE
    return found or (Unkept.CUT if finish == "length" else None)


def _of_message(message: Mapping[str, Any]) -> Unkept | None:
    if message.get("audio"):
        return Unkept.AUDIO
    if message.get("refusal"):
        return Unkept.REFUSAL
    says = ("content", "text", "tool_calls", "function_call")
    return None if any(message.get(name) for name in says) else Unkept.EMPTY


def is_filtered(results: object) -> bool:
    """Whether Azure withheld content by these annotations, or could not tell whether to."""
    if not isinstance(results, Mapping):
        return False
    return bool(results.get("error")) or any(
        isinstance(each, Mapping) and bool(each.get("filtered")) for each in results.values()
    )


def _of_response(response: Mapping[str, Any]) -> Unkept | None:
    status = response.get("status")
    cut = _reason(response) if status == "incomplete" else None
    if cut == "content_filter" or any(map(_is_blocked, _objects(response.get("content_filters")))):
        return Unkept.FILTERED
    if status != "completed" and cut != "max_output_tokens":
        return Unkept.UNFINISHED
    return _of_items(response.get("output")) or (Unkept.CUT if cut else None)


def _reason(response: Mapping[str, Any]) -> object:
    details = response.get("incomplete_details")
    return details.get("reason") if isinstance(details, Mapping) else None


def _is_blocked(verdict: Mapping[str, Any]) -> bool:
    return bool(verdict.get("blocked")) or is_filtered(verdict.get("content_filter_results"))


def _of_items(output: object) -> Unkept | None:
    if not isinstance(output, list):
        return Unkept.UNREADABLE
    items = _objects(output)
    if len(items) < len(output) or any(item.get("type") not in _OWN_ITEMS for item in items):
        return Unkept.UNFOLDABLE
    parts = [part for item in items if item["type"] == "message" for part in _parts(item)]
    if any("audio" in str(part.get("type")) for part in parts):
        return Unkept.AUDIO
    if any(part.get("refusal") for part in parts):
        return Unkept.REFUSAL
    says = any(part.get("text") for part in parts) or any(item["type"] in _CALLS for item in items)
    return None if says else Unkept.EMPTY


def _parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _objects(item.get("content"))


def _objects(values: object) -> list[Mapping[str, Any]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
