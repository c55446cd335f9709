"""What is written of what is logged; changed while the process runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from app.adapters.logs.flood import Flood

#: Of requests, which observes its own rules.
REQUEST: Final = "request"
LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
#: Loggers of libraries that quote what a server answered them, behind their first colon: of an
#: answer that azure-identity cannot read all of it, the token within included.
_QUOTING: Final = "azure."


@dataclass(slots=True)
class Threshold:
    """The level from which on lines are written; `name` is one of LEVELS."""

    name: str
    value: int = field(init=False)

    def __post_init__(self) -> None:
        self.value = LEVELS[self.name]

    def set(self, name: str) -> None:
        """From now on."""
        self.name, self.value = name, LEVELS[name]


class Wanted:
    """The first of structlog's processors: drops what is below the level, and floods."""

    def __init__(self, threshold: Threshold, flood: Flood) -> None:
        self._threshold = threshold
        self._flood = flood

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """The same event. Raises DropEvent."""
        if LEVELS[method] < self._threshold.value:
            raise structlog.DropEvent
        if event["event"] != REQUEST and not self._flood.admits(str(event["event"])):
            raise structlog.DropEvent
        return event


class WantedOfLibraries(logging.Filter):
    """The same for the standard library's loggers: warnings and worse, whatever the level.

    What they say below that is about requests: openai's and httpx's debug lines hold bodies.
    """

    def __init__(self, threshold: Threshold, flood: Flood) -> None:
        super().__init__()
        self._threshold = threshold
        self._flood = flood

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written; of those that quote, without what they quote."""
        if record.levelno < max(self._threshold.value, logging.WARNING):
            return False
        if record.name.startswith(_QUOTING):
            record.msg, record.args = record.getMessage().partition(":")[0], ()
        return self._flood.admits(f"logger {record.name}")
