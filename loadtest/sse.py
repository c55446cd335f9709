"""Times of one chat stream as a client sees them: first token, time per token, its end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Times:
    """Of a whole answer, in seconds from when it was asked for."""

    ttft_s: float
    latency_s: float
    output_tokens: int
    tpot_s: float | None
    """Per token after the first; None of answers of one token."""


class StreamReader:
    """Is fed a stream's bytes as they come, however they were cut on their way."""

    def __init__(self, asked: float) -> None:
        """`asked` is when the request was sent, in seconds on the caller's clock."""
        self._asked = asked
        self._rest = b""
        self._first: float | None = None
        self._last = asked
        self._done: float | None = None
        self._contents = 0
        self._tokens: int | None = None
        self.error: str | None = None
        """What an error event said, or that the stream ended early; None: nothing is wrong."""

    def feed(self, data: bytes, now: float) -> None:
        """Bytes that came at a time on the same clock."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if line.startswith(b"data:"):
                self._take(line[5:].strip(), now)

    def times(self) -> Times | None:
        """Once all was fed; None where there is no whole answer, and `error` says why."""
        if self.error is None and (self._done is None or self._first is None):
            self.error = "the stream ended before its answer did"
        if self.error is not None or self._done is None or self._first is None:
            return None
        # Where nobody counted, a chunk is taken for a token.
        tokens = self._contents if self._tokens is None else self._tokens
        gaps = tokens - 1
        return Times(
            ttft_s=self._first - self._asked,
            latency_s=self._done - self._asked,
            output_tokens=tokens,
            tpot_s=(self._last - self._first) / gaps if gaps > 0 else None,
        )

    def _take(self, data: bytes, now: float) -> None:
        if data == b"[DONE]":
            self._done = now
            return
        try:
            event: dict[str, Any] = json.loads(data)
        except ValueError:
            self.error = "an event is not JSON"
            return
        if event.get("error"):
            self.error = str(event["error"].get("code") or event["error"].get("message"))
        if event.get("usage"):
            self._tokens = _seen_tokens(event["usage"])
        if any(_has_content(choice) for choice in event.get("choices") or []):
            self._first = now if self._first is None else self._first
            self._last = now
            self._contents += 1


def _has_content(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta") or {}
    return bool(delta.get("content") or delta.get("tool_calls"))


def _seen_tokens(usage: dict[str, Any]) -> int:
    """Reasoning tokens come before the first that is seen."""
    details = usage.get("completion_tokens_details") or {}
    return int(usage.get("completion_tokens") or 0) - int(details.get("reasoning_tokens") or 0)
