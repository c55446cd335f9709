"""An event as one line of JSON: short, printable, without secrets, whoever wrote it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

from app.adapters.logs.redaction import Redaction

#: A field longer than this is cut: a log line is read by people and paid for by the byte.
MAX_FIELD: Final = 2048
MAX_TRACEBACK: Final = 16 * 1024
MAX_ITEMS: Final = 100
_MAX_DEPTH: Final = 4
#: Read beyond the cut: a secret that the cut divides is found whole.
_LONGEST_SECRET: Final = 4096

#: What could move a terminal's cursor or forge a line: control characters, line separators;
#: and halves of characters, which are none.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_NEWLINE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Renderer:
    """The last of structlog's processors."""

    def __init__(self, redaction: Redaction) -> None:
        self._redacted = redaction

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        """The line, without its end."""
        line = _plain(event)
        if line is None:
            line = json.dumps(self._harmless(event), separators=(",", ":"))
        return self._redacted(line)

    def _harmless(self, event: EventDict) -> dict[str, Any]:
        trace = event.pop("exception", None)
        fields = {self.text(name): self._shown(each, _MAX_DEPTH) for name, each in event.items()}
        if trace is not None:
            # Its lines are kept: a reader sees them as such. Its end says what was raised.
            shown = self._redacted(str(trace)[-MAX_TRACEBACK:])
            fields["exception"] = _CONTROL_BUT_NEWLINE.sub(_escaped, shown)
        return fields

    def _shown(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, dict) and depth:
            items = list(value.items())[:MAX_ITEMS]
            return {self.text(name): self._shown(item, depth - 1) for name, item in items}
        if isinstance(value, list | tuple) and depth:
            return [self._shown(item, depth - 1) for item in value[:MAX_ITEMS]]
        return self.text(value)

    def texts(self, values: Sequence[str]) -> Sequence[str]:
        """Several as `text` has each; they are looked at together, for most are as they should."""
        joined = " ".join(values)
        if len(joined) <= MAX_FIELD and joined.isascii() and joined.isprintable():
            longest = max(map(len, values), default=0)
            if not self._redacted.may_change(joined, longest):
                return values
        return [self.text(each) for each in values]

    def text(self, value: object) -> str:
        """A value as text that may be written: short, printable, without secrets."""
        text = value if isinstance(value, str) else repr(value)
        if len(text) <= MAX_FIELD and text.isascii() and text.isidentifier():
            return self._redacted(text)  # one word, as most ids are
        text = self._redacted(text[: MAX_FIELD + _LONGEST_SECRET])[:MAX_FIELD]
        return _CONTROL.sub(_escaped, text)[:MAX_FIELD]


def _plain(event: EventDict) -> str | None:
    """The line where there is nothing in it to be cut or escaped, as in nearly all of them.

    JSON escapes by a backslash; a line that is shorter than a field may be has no longer one.
    """
    try:
        line = json.dumps(event, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    is_plain = len(line) <= MAX_FIELD and "\\" not in line and line.isascii()
    return line if is_plain and line.isprintable() else None


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
