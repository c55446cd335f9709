"""What the log writes: as configured, or as operators have said for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from app.adapters.logs.configure import Logs
from app.adapters.logs.redaction import Redaction
from app.adapters.logs.request_log import EVERY_REQUEST, RequestLog, RequestPolicy
from app.domain.identity.directory import LogsEntry
from app.settings.logs import LogRules

#: How soon a change, and its end, is in force.
LOOK_S: Final = 0.25
TELL_S: Final = 60.0
_NO_REQUEST: Final = RequestPolicy(ordinary=False, extraordinary=False)


class LogControl:
    """The log of requests, and the level of everything; `rules` are the configured ones."""

    def __init__(
        self,
        logs: Logs | None,
        unix: Callable[[], float],
        rules: LogRules,
    ) -> None:
        """`logs` None: the process logs in its own way, and only requests are looked after."""
        self._logs = logs
        #: What takes secrets out of lines, and of other things that are written.
        self.redacted = logs.redaction if logs else Redaction()
        self._unix = unix
        self.rules = rules
        #: What operators said last, which may have ended; None: nothing.
        self.said: Callable[[], LogsEntry | None] = lambda: None
        self.requests = RequestLog(logs.flood, logs.write_request) if logs else RequestLog()

    @property
    def dropped_total(self) -> int:
        """Lines of this process that were lost because nobody read its log."""
        return self._logs.dropped_total if self._logs else 0

    def know(self, secrets: Iterable[str]) -> None:
        """Write these in no line, and nowhere else where `redacted` is asked."""
        self.redacted.know(secrets)

    def apply(self) -> None:
        """Put in force what holds now."""
        said = self.said()
        if said is None or said.until <= self._unix():
            said = LogsEntry()
        requests = said.requests or self.rules.which
        self.requests.policy = _policy(requests, self.rules.sample)
        if self._logs is not None and self._logs.threshold.name != (said.level or self.rules.level):
            self._logs.threshold.set(said.level or self.rules.level)

    async def keep_applying(self) -> None:
        """Put in force what holds, for ever; once a minute tell what floods were held back."""
        while True:
            for _ in range(round(TELL_S / LOOK_S)):
                self.apply()
                await asyncio.sleep(LOOK_S)
            if self._logs is not None:
                self._logs.tell_held_back()


def _policy(requests: str, sample: float) -> RequestPolicy:
    if requests == "sample":
        return RequestPolicy(sample=sample)
    return _NO_REQUEST if requests == "none" else EVERY_REQUEST
