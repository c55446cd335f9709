"""Which whole answers are worth keeping, by what their bodies say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain.call.request import Operation
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


class _Function(msgspec.Struct):
    arguments: str | None = None
    input: str | None = None


class _Call(msgspec.Struct):
    function: _Function | None = None
    custom: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    audio: dict[str, Any] | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: dict[str, list[Any] | None] | None = None
    content_filter_results: Any = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None
    logprobs: list[dict[str, Any]] | None = None


class _Item(msgspec.Struct):
    type: str = ""
    content: list[_Part] | None = None
    summary: list[_Part] | None = None
    arguments: str | None = None
    input: str | None = None


class _Details(msgspec.Struct):
    reason: str | None = None


class _Verdict(msgspec.Struct):
    blocked: bool = False
    content_filter_results: Any = None


class _Answer(msgspec.Struct):
    """What all operations' answers are made of, as far as it is looked at, or told again."""

    error: Any = None
    usage: UsageFields | None = None
    data: list[msgspec.Raw] | None = None  # an embedding's numbers are not built
    choices: list[_Choice] | None = None
    output: list[_Item] | None = None
    status: str | None = None
    incomplete_details: _Details | None = None
    content_filters: list[_Verdict] | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def unkept(operation: Operation, body: bytes) -> Unkept | None:
    """Why the whole body of an accepted answer is not kept; None: it is, for whoever it fits."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Unkept.UNREADABLE
    found = Unkept.ERROR if answer.error else _OF[operation](answer)
    told = answer.usage is not None and answer.usage.usage() is not None
    if not told and (found is None or found.for_the_same):
        return Unkept.NO_USAGE
    return found


def _of_embeddings(answer: _Answer) -> Unkept | None:
    return None if answer.data else Unkept.EMPTY


def _of_choices(answer: _Answer) -> Unkept | None:
    """What weighs most: a reason that holds for all, else one that holds for others."""
    if not answer.choices:
        return Unkept.UNREADABLE
    reasons = [each for each in map(_of_choice, answer.choices) if each is not None]
    return min(reasons, key=lambda each: each.for_the_same, default=None)


def _of_choice(choice: _Choice) -> Unkept | None:
    finish = choice.finish_reason
    if finish == "content_filter" or is_filtered(choice.content_filter_results):
        return Unkept.FILTERED
    if finish not in _FINISHED:
        return Unkept.UNFINISHED
    if choice.message is not None:
        found = _of_message(choice.message)
    else:
        found = None if choice.text else Unkept.EMPTY
    return found or (Unkept.CUT if finish == "length" else None)


def _of_message(message: _Message) -> Unkept | None:
    if message.audio:
        return Unkept.AUDIO
    if message.refusal:
        return Unkept.REFUSAL
    says = message.content or message.tool_calls or message.function_call
    return None if says else Unkept.EMPTY


def is_filtered(results: object) -> bool:
    """Whether Azure withheld content by these annotations, or could not tell whether to."""
    if not isinstance(results, Mapping):
        return False
    return bool(results.get("error")) or any(
        isinstance(each, Mapping) and bool(each.get("filtered")) for each in results.values()
    )


def _of_response(answer: _Answer) -> Unkept | None:
    details = answer.incomplete_details or _Details()
    cut = details.reason if answer.status == "incomplete" else None
    if cut == "content_filter" or any(map(_is_blocked, answer.content_filters or ())):
        return Unkept.FILTERED
    if answer.status != "completed" and cut != "max_output_tokens":
        return Unkept.UNFINISHED
    return _of_items(answer.output or []) or (Unkept.CUT if cut else None)


def _is_blocked(verdict: _Verdict) -> bool:
    return verdict.blocked or is_filtered(verdict.content_filter_results)


def _of_items(items: list[_Item]) -> Unkept | None:
    if any(item.type not in _OWN_ITEMS for item in items):
        return Unkept.UNFOLDABLE
    parts = [part for item in items if item.type == "message" for part in item.content or ()]
    if any("audio" in part.type for part in parts):
        return Unkept.AUDIO
    if any(part.refusal for part in parts):
        return Unkept.REFUSAL
    says = any(part.text for part in parts) or any(item.type in _CALLS for item in items)
    return None if says else Unkept.EMPTY


_OF: Final = {
    Operation.CHAT_COMPLETIONS: _of_choices,
    Operation.COMPLETIONS: _of_choices,
    Operation.EMBEDDINGS: _of_embeddings,
    Operation.RESPONSES: _of_response,
}
