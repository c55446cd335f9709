"""Why there is no vector."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import structlog

from app.errors import EmbedderUnavailable


class Trouble(StrEnum):
    """The value is a metric's label."""

    LOADING = "loading"  # the model is not in memory yet, or cannot be loaded
    FULL = "full"  # too many wait
    STUCK = "stuck"  # the batch at hand takes longer than anybody waits
    PAUSED = "paused"  # it failed again and again, and is left alone for a moment
    LATE = "late"  # the patience was over
    FAILED = "failed"  # an error instead of a vector
    CLOSED = "closed"


_MESSAGES: Final = {
    Trouble.LOADING: "The embedder is not loaded.",
    Trouble.FULL: "Too many texts wait for the embedder.",
    Trouble.STUCK: "The embedder does not come back.",
    Trouble.PAUSED: "The embedder failed several times in a row.",
    Trouble.LATE: "The embedder took too long.",
    Trouble.FAILED: "The embedder failed.",
    Trouble.CLOSED: "The embedder is closed.",
}


def unavailable(trouble: Trouble) -> EmbedderUnavailable:
    """The error that callers of an embedder know."""
    return EmbedderUnavailable(_MESSAGES[trouble])


class Notes:
    """Logs each kind of error of one embedder once, without its words, which may hold a prompt."""

    def __init__(self, embedder: str) -> None:
        self._embedder = embedder
        self._noted: set[str] = set()  # one for each class that is raised: bounded

    def take(self, event: str, error: BaseException, *, reason: str = "") -> None:
        """`reason` is for words that can hold no prompt."""
        kind = type(error).__name__
        if kind not in self._noted:
            self._noted.add(kind)
            log = structlog.get_logger()
            log.error(event, embedder=self._embedder, error=kind, reason=reason)
