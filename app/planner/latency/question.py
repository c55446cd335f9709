"""A chat request of a given size that no cache has seen: a prompt of its own for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from app.domain.call.request import InferenceRequest
from app.domain.routing.deployment import Deployment
from app.planner.latency.plan import Plan
from app.wire.openai import read_request
from app.wire.routes import match

#: Tokens of a text as a base model counts them.
Count = Callable[[str, str], int]

#: One message with its role, and the primer of the answer (OpenAI cookbook, counting tokens).
_AROUND_TOKENS: Final = 7
_TASK: Final = "Write a long story about the words below. Do not stop early."
#: One token each, in both vocabularies.
_FILLER: Final = (" time", " people", " water", " house", " world", " place", " work", " night")


class Questions:
    """The requests of one comparison; `run_id` keeps its prompts apart from earlier ones'.

    Azure keeps prompts of 1,024 tokens and more that begin alike (prompt caching page, 2026-02),
    so that what tells prompts apart comes first.
    """

    def __init__(self, plan: Plan, count: Count, run_id: str) -> None:
        """`count` counts tokens of a text by base model."""
        self._plan = plan
        self._count = count
        self._run_id = run_id

    def ask(self, deployment: Deployment, number: int) -> InferenceRequest:
        """The request that is sent in turn `number`."""
        prompt = self._prompt(deployment.model, number)
        body: dict[str, Any] = {
            "model": deployment.azure_name,
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
            "stream_options": {"include_usage": True},
            _cap_of(deployment): self._plan.output_tokens,
        }
        route = match("POST", "/v1/chat/completions", "")
        return read_request(route, json.dumps(body).encode())

    def _prompt(self, model: str, number: int) -> str:
        start = f"[{self._run_id}-{number}] {_TASK}"
        missing = self._plan.prompt_tokens - _AROUND_TOKENS - self._count(start, model)
        words = (_FILLER[place % len(_FILLER)] for place in range(max(0, missing)))
        return start + "".join(words)


def _cap_of(deployment: Deployment) -> str:
    """Reasoning models take no `max_tokens` (Azure: reasoning models page, 2026-03)."""
    newer = deployment.reasons or "max_tokens" in deployment.refuses
    return "max_completion_tokens" if newer else "max_tokens"
