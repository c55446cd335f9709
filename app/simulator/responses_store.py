"""Responses that a deployment remembers, so that a conversation can continue and be looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.simulator.response_bodies import ModelResponse, response_body, unfinished_body

Json = dict[str, Any]


@dataclass(slots=True)
class StoredResponse:
    """A response, what led to it, and the tokens of the conversation so far.

    One that runs in the background has its first token at `began_at` and is done at `ready_at`, on
    the loop's clock; others are done when they are stored.
    """

    response: ModelResponse
    items: Sequence[Json]
    context: Sequence[int] = field(repr=False)
    began_at: float
    ready_at: float
    in_background: bool = False
    cancelled_at: float | None = None

    def body(self, now: float) -> Json:
        if self.cancelled_at is not None:
            return unfinished_body(self.response, "cancelled")
        if now < self.ready_at:
            return unfinished_body(self.response, "in_progress")
        return response_body(self.response)

    def cancel(self, now: float) -> None:
        """End it, unless it has ended."""
        if now < self.ready_at and self.cancelled_at is None:
            self.cancelled_at = now

    def input_items(self) -> Json:
        """What was sent, newest first."""
        key = self.response.envelope.id.removeprefix("resp_")
        numbered = [{"id": f"msg_{index}{key}", **item} for index, item in enumerate(self.items)]
        numbered.reverse()
        return {
            "object": "list",
            "data": numbered,
            "first_id": numbered[0]["id"] if numbered else None,
            "last_id": numbered[-1]["id"] if numbered else None,
            "has_more": False,
        }


class ResponsesStore:
    """The last responses by id."""

    def __init__(self, *, capacity: int = 2000) -> None:
        self._capacity = capacity
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()

    def keep(self, stored: StoredResponse) -> None:
        self._responses[stored.response.envelope.id] = stored
        if len(self._responses) > self._capacity:
            self._responses.popitem(last=False)

    def find(self, response_id: str) -> StoredResponse | None:
        return self._responses.get(response_id)

    def forget(self, response_id: str) -> bool:
        return self._responses.pop(response_id, None) is not None
