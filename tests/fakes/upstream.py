"""Upstreams that follow a screenplay.

    upstream("ptu-east").answers(429, retry_after_ms=800)
    upstream("paygo").streams("Hel", "lo", usage=(9, 2)).cuts_after(3)

Each line is one act: what a deployment does when it is asked once more. Asking one that has no act
left fails the test.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.adapters.upstream.read_by_read import ReadByRead
from app.domain.call.request import InferenceRequest
from app.domain.routing.deployment import Deployment
from app.errors import SpillgateError, UpstreamDisconnected
from tests.fakes.answers import Usage, completion, frames, refusal
from tests.fakes.clock import FakeClock


@dataclass(slots=True)
class Silence:
    """Nothing comes for so many seconds."""

    seconds: float


class Cut:
    """The connection breaks."""


Step = bytes | Silence | Cut


@dataclass(slots=True)
class Act:
    """One answer; `steps` writes its body for the request at hand."""

    steps: Callable[[InferenceRequest], Sequence[Step]] = lambda _: ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: SpillgateError | None = None
    delay: float = 0.0
    kept: int | None = None  # steps that still happen before `end`
    end: Step | None = None

    def performed(self, request: InferenceRequest) -> deque[Step]:
        steps = deque(list(self.steps(request))[: self.kept])
        if self.end is not None:
            steps.append(self.end)
        return steps


class Script:
    """What one deployment will do; every method adds an act or changes the last one."""

    def __init__(self) -> None:
        self.acts: deque[Act] = deque()

    def answers(
        self,
        status: int = 200,
        *,
        code: str | None = None,
        body: bytes | None = None,
        retry_after_ms: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Script:
        """A whole body: the one given, else an error object with `code`."""
        sent = {"content-type": "application/json", **(headers or {})}
        if retry_after_ms is not None:
            sent["retry-after-ms"] = str(retry_after_ms)
        text = refusal(code, "The upstream's own text.") if body is None else body
        return self._add(Act(lambda _: [text] if text else [], status, sent))

    def completes(
        self, text: str = "Hello", *, usage: Usage | None = (9, 2), answer_id: str = "chatcmpl-1"
    ) -> Script:
        """A whole answer."""
        return self.answers(200, body=completion(text, usage, answer_id))

    def streams(
        self, *words: str, usage: Usage | None = (9, 2), headers: Mapping[str, str] | None = None
    ) -> Script:
        """A stream, a frame at a time, in the form of the API that is asked."""
        sent = {"content-type": "text/event-stream; charset=utf-8", **(headers or {})}
        return self._add(Act(lambda request: frames(request, words, usage), headers=sent))

    def plays(self, *parts: bytes, headers: Mapping[str, str] | None = None) -> Script:
        """A stream of exactly these bytes, in these parts."""
        sent = {"content-type": "text/event-stream", **(headers or {})}
        return self._add(Act(lambda _: parts, headers=sent))

    def fails(self, kind: type[SpillgateError]) -> Script:
        """No answer at all."""
        return self._add(Act(error=kind("The connection failed.")))

    def takes(self, seconds: float) -> Script:
        """The last act's headers, or its failure, come so late."""
        self.acts[-1].delay = seconds
        return self

    def cuts_after(self, parts: int) -> Script:
        """The last act's connection breaks after so many parts of its body."""
        self.acts[-1].kept, self.acts[-1].end = parts, Cut()
        return self

    def ends_after(self, parts: int) -> Script:
        """The last act's body ends after so many of its parts, as if that were all."""
        self.acts[-1].kept = parts
        return self

    def stalls(self, after: int = 0) -> Script:
        """The last act falls silent for ever after so many parts of its body."""
        self.acts[-1].kept, self.acts[-1].end = after, Silence(math.inf)
        return self

    def pauses(self, seconds: float, *, before: int) -> Script:
        """The last act is silent for a while before the part of that number."""
        act = self.acts[-1]
        steps = act.steps

        def with_pause(request: InferenceRequest) -> list[Step]:
            written = list(steps(request))
            return [*written[:before], Silence(seconds), *written[before:]]

        act.steps = with_pause
        return self

    def _add(self, act: Act) -> Script:
        self.acts.append(act)
        return self


class ScriptedResponse(ReadByRead):
    """One answer under way; it knows whether it was let go."""

    def __init__(self, act: Act, request: InferenceRequest, clock: FakeClock) -> None:
        self.status = act.status
        self.headers: Mapping[str, str] = act.headers
        self.closed = False
        self.patience: list[float] = []
        self._steps = act.performed(request)
        self._clock = clock

    async def read(self, patience_s: float) -> bytes:
        assert not self.closed, "read after it was closed"
        self.patience.append(patience_s)
        await asyncio.sleep(0)
        while self._steps:
            match self._steps.popleft():
                case bytes(data):
                    return data
                case Cut():
                    message = "The connection broke."
                    raise UpstreamDisconnected(message)
                case Silence(seconds):
                    self._wait(seconds, patience_s)
        return b""

    def _wait(self, seconds: float, patience_s: float) -> None:
        self._clock.advance(min(seconds, patience_s))
        if seconds >= patience_s:
            self._steps.appendleft(Silence(seconds - patience_s))
            raise TimeoutError

    def close(self) -> None:
        self.closed = True

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<ScriptedResponse {self.status}, {state}, {len(self._steps)} steps left>"


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of an upstream."""

    deployment: str
    request: InferenceRequest
    headers: Mapping[str, str]


class ScriptedUpstream:
    """All deployments, each with its script; remembers who was asked and what is still open."""

    def __init__(self, clock: FakeClock) -> None:
        """Silences and delays advance `clock`."""
        self.asked: list[Asked] = []
        self.responses: list[ScriptedResponse] = []
        self._clock = clock
        self._scripts: dict[str, Script] = {}

    def __call__(self, deployment: str) -> Script:
        """The script of a deployment."""
        return self._scripts.setdefault(deployment, Script())

    @property
    def names(self) -> list[str]:
        """The deployments that were asked, in that order."""
        return [call.deployment for call in self.asked]

    @property
    def still_open(self) -> list[ScriptedResponse]:
        """Answers that nobody let go of."""
        return [response for response in self.responses if not response.closed]

    async def open(
        self, deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> ScriptedResponse:
        self.asked.append(Asked(deployment.name, request, dict(headers)))
        acts = self(deployment.name).acts
        assert acts, f"'{deployment.name}' was asked more often than its script says"
        act = acts.popleft()
        await asyncio.sleep(0)
        self._clock.advance(act.delay)
        if act.error is not None:
            raise act.error
        response = ScriptedResponse(act, request, self._clock)
        self.responses.append(response)
        return response

    def __repr__(self) -> str:
        return f"<ScriptedUpstream asked {self.names}, {len(self.still_open)} open>"
