"""Recorded event streams, each with what a reader must find in it.

The bytes follow what Azure OpenAI and OpenAI were seen to send, and what the standard for
server-sent events allows besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage

_CHAT: Final = Operation.CHAT_COMPLETIONS
_LONG: Final = Usage(input=1566, cached=1408, output=1518, reasoning=576)


@dataclass(frozen=True, slots=True)
class Recording:
    """One stream; `usage_frames` is how many of its frames only tell the usage."""

    name: str
    operation: Operation = _CHAT
    usage: Usage | None = _LONG
    usage_frames: int = 1
    error: str | None = None
    response_id: str | None = None

    @property
    def recorded_error(self) -> str | None:
        """What records keep of its error: a sentence where a code belongs is in none."""
        return "upstream_error" if self.error and " " in self.error else self.error

    @property
    def data(self) -> bytes:
        return Path(__file__).with_name(f"{self.name}.sse").read_bytes()


RECORDINGS: Final = (
    Recording("chat", usage=None, usage_frames=0),
    Recording("chat_usage"),
    Recording("chat_usage_zero", usage=Usage()),
    Recording("chat_async_filter", usage=Usage(input=21, output=2)),
    Recording("chat_tools", usage=Usage(input=55, output=17)),
    Recording("chat_spaced"),
    Recording("chat_quoting", usage=Usage(input=12, output=40)),
    Recording("chat_unicode", usage=Usage(input=8, output=9)),
    Recording("chat_crlf"),
    Recording("chat_cr"),
    Recording("chat_comments"),
    Recording("chat_multiline", usage=Usage(input=3, output=2)),
    Recording("chat_error", usage=None, usage_frames=0, error="internal_server_error"),
    Recording("chat_error_text", usage=None, usage_frames=0, error="backend overloaded"),
    Recording("completions", Operation.COMPLETIONS, Usage(input=4, output=16)),
    Recording(
        "responses",
        Operation.RESPONSES,
        Usage(input=37, cached=16, output=11, reasoning=5),
        usage_frames=0,
        response_id="resp_68f",
    ),
    Recording(
        "responses_incomplete",
        Operation.RESPONSES,
        Usage(input=37, output=16),
        usage_frames=0,
        response_id="resp_68f",
    ),
    Recording(
        "responses_failed",
        Operation.RESPONSES,
        Usage(input=37, output=2),
        usage_frames=0,
        error="server_error",
        response_id="resp_68f",
    ),
    Recording(
        "responses_error",
        Operation.RESPONSES,
        None,
        usage_frames=0,
        error="internal_error",
        response_id="resp_68f",
    ),
)

#: How a streamed response is throttled inside a 200: the spellings seen, and both orders.
THROTTLED: Final = tuple(
    Recording(name, Operation.RESPONSES, None, 0, code)
    for name, code in (
        ("throttled_azure", "rate_limit_exceeded"),
        ("throttled_coded", "rate_limit_exceeded"),
        ("throttled_openai", "rate_limit_exceeded"),
        ("throttled_flat", "rate_limit_exceeded"),
        ("throttled_no_capacity", "no_capacity"),
    )
)


def recording(name: str) -> Recording:
    """The recording of that name."""
    return next(one for one in (*RECORDINGS, *THROTTLED) if one.name == name)


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """`data` cut at these positions, as a network might; nothing is empty."""
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]
