"""Logs: one JSON object a line on standard error, ours and the libraries' alike."""

from __future__ import annotations

import logging
import re
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

#: A field longer than this is cut: a log line is read by people and paid for by the byte.
MAX_FIELD: Final = 2048
_MAX_ITEMS: Final = 100
_MAX_DEPTH: Final = 4
_STRUCTLOGS: Final = frozenset({"exc_info", "_record", "_from_structlog"})

#: What could move a terminal's cursor or forge a line: control characters and line separators.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logs(level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for this process; `level` is a name such as `info`. Libraries warn only."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    output = stream or sys.stderr
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        harmless,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(max(threshold, logging.WARNING), common, output)


def harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make every field short and printable, whoever wrote it.

    What structlog itself put there is left as it is; a traceback keeps its lines.
    """
    return {
        _text(name): value if name in _STRUCTLOGS else _shown(value, _MAX_DEPTH)
        for name, value in event.items()
    }


def _configure_libraries(threshold: int, common: list[Processor], output: TextIO) -> None:
    """The standard library's loggers, in the same form."""
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)


def _shown(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict) and depth:
        items = list(value.items())[:_MAX_ITEMS]
        return {_text(name): _shown(item, depth - 1) for name, item in items}
    if isinstance(value, list | tuple) and depth:
        return [_shown(item, depth - 1) for item in value[:_MAX_ITEMS]]
    return _text(value)


def _text(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    shown = _CONTROL.sub(_escaped, text[:MAX_FIELD])
    return shown[:MAX_FIELD]


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
