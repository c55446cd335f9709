"""Logging is set up here, once for each process, and what holds for all lines is decided."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.adapters.logs.flood import Flood
from app.adapters.logs.levels import Threshold, Wanted, WantedOfLibraries
from app.adapters.logs.lines import DirectLines, Lines, lines_to
from app.adapters.logs.redaction import Redaction
from app.adapters.logs.rendering import Renderer
from app.adapters.logs.request_line import RequestLines, encoded
from app.adapters.logs.tracebacks import traceback_of
from app.domain.ledger.completion import Receipt

#: Of libraries' events: theirs are sentences, with values among the words.
_ASYNCIO: Final = "asyncio"


class Logs:
    """The logs of this process: their level, what is taken out of them, what was lost."""

    def __init__(self, level: str, lines: Lines | DirectLines) -> None:
        """Made by `configure_logs`."""
        self.threshold = Threshold(level)
        self.flood = Flood(time.monotonic)
        self.redaction = Redaction()
        self.renderer = Renderer(self.redaction)
        self._requests = RequestLines(self.renderer.text)
        self._generation = self.redaction.generation
        self._lines = lines
        #: In every line of this process.
        self.fields: dict[str, int] = {}

    def share(self, worker: int, turns: Path | None) -> None:
        """Several processes write one log: say which in each line, and keep long lines whole.

        `turns` is a file that all of them lock while they write; None: this process alone writes.
        """
        requests = self._requests
        requests.worker, requests.pid = worker, os.getpid()
        self.fields = {"worker": worker, "pid": requests.pid}
        if turns is not None:
            self._lines.take_turns(turns)

    @property
    def dropped_total(self) -> int:
        """Lines that were to be written and are not: nobody read the log, or not fast enough."""
        return self._lines.dropped_total

    def write_request(self, *receipts: Receipt) -> None:
        """A request's line, or of each of several, without structlog: each request has one."""
        if self.threshold.value > logging.INFO:
            return
        if self._generation != self.redaction.generation:
            self._generation = self.redaction.generation
            self._requests.forget()
        ids = self.renderer.texts([each.request_id for each in receipts])
        self._lines.write_all(encoded(list(map(self._requests.line, receipts, ids))))

    def tell_held_back(self) -> None:
        """Write how many lines a flood had more, if any."""
        if held_back := self.flood.take_held_back():
            count = sum(held_back.values())
            structlog.get_logger().warning("log_lines_held_back", count=count, of=held_back)

    def close(self) -> None:
        """Write what waits; what is logged afterwards is dropped."""
        self.tell_held_back()
        self._lines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def configure_logs(level: str = "info", stream: TextIO | None = None) -> Logs:
    """Set up logging for this process; `level` is a name such as `info`. Libraries warn only."""
    lines = lines_to(stream or sys.stderr)
    logs = Logs(level, lines)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _with_traceback,
        lambda _logger, _method, event: {**logs.fields, **event},
    ]
    renderer = logs.renderer
    structlog.configure(
        processors=[Wanted(logs.threshold, logs.flood), *common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,  # what is configured later holds for all of them
    )
    handler = _Handler(lines)
    handler.addFilter(WantedOfLibraries(logs.threshold, logs.flood))
    handler.setFormatter(_formatter(common, renderer))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    return logs


class _Handler(logging.Handler):
    def __init__(self, lines: Lines | DirectLines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.write(self.format(record))


def _formatter(common: list[Processor], renderer: Renderer) -> logging.Formatter:
    """The standard library's records, in the same form."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, _without_reprs, *common],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _with_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Where the event brings an exception; `exc_info` is one, its triple, or true."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    error = given if isinstance(given, BaseException) else _raised(given)
    if error is not None:
        event["exception"] = traceback_of(error)
    return event


def _raised(given: Any) -> BaseException | None:
    triple = given if isinstance(given, tuple) else sys.exc_info()
    return triple[1] if isinstance(triple[1], BaseException) else None


def _without_reprs(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of a task asyncio tells by what it is made of: its exception's words among it."""
    record: logging.LogRecord | None = event.get("_record")
    if record is not None and record.name == _ASYNCIO:
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def loop_trouble(_loop: object, context: Mapping[str, Any]) -> None:
    """An event loop's exception handler: what asyncio says, and where it came from."""
    error = context.get("exception")
    structlog.get_logger().error("event_loop_trouble", what=context["message"], exc_info=error)
