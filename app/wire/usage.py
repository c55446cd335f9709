"""Token counts as upstreams report them, from a whole body or from one event of a stream.

Field names: OpenAI's CompletionUsage (`prompt_tokens`, …) and ResponseUsage (`input_tokens`, …).
A missing count stays missing; an explicit zero is zero. What no answer can have used is missing,
too: it would be charged, or given back. Embeddings generate nothing: their usage has
`prompt_tokens` and `total_tokens`, equal, and no third (OpenAI's CreateEmbeddingResponse).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from app.domain.quota.usage import Usage

#: Of one answer. The largest contexts have ten million; a list of embeddings has some more. What is
#: above that is a defect, and sums of it do not fit into what adds them up (SQLite, OTLP: 64 bits).
MOST_TOKENS: Final = 1_000_000_000
_RESPONSE_ID = re.compile(rb'"id"\s*:\s*"(resp_[A-Za-z0-9_-]{1,512})"')
_OBJECT = re.compile(rb'"usage"\s*:\s*(?=\{)')


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class UsageFields(msgspec.Struct, gc=False):
    """Both spellings of a usage object; details may be null or absent."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None

    def usage(self) -> Usage | None:
        """The counts, whichever spelling they came in; None where what was read or made is not."""
        counted_in = self.input_tokens if self.prompt_tokens is None else self.prompt_tokens
        counted_out = self.completion_tokens
        if counted_out is None:
            counted_out = self.output_tokens if self.output_tokens is not None else self._no_more()
        if counted_in is None or counted_out is None:
            return None
        if not (0 <= counted_in <= MOST_TOKENS and 0 <= counted_out <= MOST_TOKENS):
            return None
        read = self.prompt_tokens_details or self.input_tokens_details
        made = self.completion_tokens_details or self.output_tokens_details
        return Usage(
            input=counted_in,
            cached=_part(read.cached_tokens) if read is not None else 0,
            output=counted_out,
            reasoning=_part(made.reasoning_tokens) if made is not None else 0,
        )

    def _no_more(self) -> int | None:
        """Zero where the total says that all of it was read."""
        all_read = self.total_tokens is not None and self.total_tokens == self.prompt_tokens
        return 0 if all_read else None


class _Answer(msgspec.Struct, gc=False):
    id: str | None = None
    usage: UsageFields | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_USAGE = msgspec.json.Decoder(UsageFields)


def usage_of_body(body: bytes) -> Usage | None:
    """The usage of a whole answer; None where there is none to read."""
    answer = _answer(body)
    return answer.usage.usage() if answer.usage else None


def response_id_of_body(body: bytes) -> str | None:
    """The id of a stored response, from its whole body or its first part; None without one."""
    found = _RESPONSE_ID.search(body)
    return _answer(body).id or (found[1].decode() if found else None)


def usage_of_tail(tail: bytes) -> Usage | None:
    """The last usage object in the end of a body too large to keep whole."""
    found = list(_OBJECT.finditer(tail))
    if not found:
        return None
    return _balanced(tail[found[-1].end() :])


def _balanced(text: bytes) -> Usage | None:
    """Decode the object that `text` starts with, trying each closing brace."""
    for brace in re.finditer(rb"\}", text[:4096]):
        try:
            return _USAGE.decode(text[: brace.end()]).usage()
        except msgspec.MsgspecError:
            continue
    return None


def _answer(body: bytes) -> _Answer:
    try:
        return _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _Answer()


def _part(count: int | None) -> int:
    return count if count is not None and 0 <= count <= MOST_TOKENS else 0
