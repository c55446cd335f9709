"""Answers out of the bytes of a connection, one after the other, within bounds.

The grammar is llhttp's, in its strict mode, through httptools. Here is what it leaves to its user:
1xx answers are passed over, sizes are bounded, and bytes after an answer make the connection spent.
Repeated headers are joined as HTTP says; trailers are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from app.errors import UpstreamProtocolError

#: Of one head, and of what may come after it without a byte of the body being among it.
MOST_HEAD_BYTES: Final = 16 * 1024
MOST_FIELDS: Final = 128
#: 1xx answers before the real one.
MOST_INTERIM: Final = 8
#: Names of header fields that are remembered in lower case.
MOST_NAMES: Final = 512

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_BODY: Final = frozenset({204, 304})


class FieldNames(dict[bytes, str]):
    """Names as they came, by their form in lower case; the same few come with every answer."""

    def __missing__(self, name: bytes) -> str:
        lower = name.decode("latin-1").lower()
        if len(self) < MOST_NAMES:
            self[name] = lower
        return lower


class AnswerParser:
    """Of one connection."""

    __slots__ = (
        "_fed",
        "_fields",
        "_interim",
        "_is_interim",
        "_names",
        "_parser",
        "_quiet",
        "headers",
        "is_begun",
        "is_ended",
        "is_spent",
        "parts",
        "status",
    )

    def __init__(self, names: FieldNames) -> None:
        """`parts` are the bytes of a body that nobody took yet: whoever reads empties it."""
        self._names = names
        self._fields: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.status = 0
        self.headers = _NO_HEADERS
        self.is_spent = False  # nothing can be asked on the connection any more
        # The parser keeps what it is given: no method is looked up while it runs.
        events = SimpleNamespace(
            on_message_begin=self._on_message_begin,
            on_header=self._on_header,
            on_headers_complete=self._on_headers_complete,
            on_body=self.parts.append,
            on_message_complete=self._on_message_complete,
        )
        self._parser = HttpResponseParser(events)
        self.start()

    def start(self) -> None:
        """Be ready for another answer; `status` and `headers` are of it once it `is_begun`."""
        self.is_begun = False  # its head is here
        self.is_ended = False  # all of it is here
        self._interim = 0
        self._is_interim = False
        self._quiet = self._fed = 0

    @property
    def ends_with_close(self) -> bool:
        """Whether nothing in the head says where the body ends."""
        framing = "transfer-encoding" in self.headers or "content-length" in self.headers
        return self.is_begun and not framing and self.status not in _NO_BODY

    def feed(self, data: memoryview) -> None:
        """Read on. Raises UpstreamProtocolError; what was read before that is there all the same.

        After the end of an answer nothing is an error: the connection is spent.
        """
        if not self.is_begun:
            self._fed = len(data)
        parts = self.parts
        known = len(parts)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.is_spent = True
            if not self.is_ended:
                raise _no_http() from None
        if len(parts) != known or self.is_ended:
            self._quiet = 0
            return
        self._quiet += len(data)
        if self._quiet > MOST_HEAD_BYTES:
            raise _no_http()

    def end(self) -> None:
        """Nothing more comes: let go of the parser, which holds this as this holds it."""
        del self._parser

    def _on_message_begin(self) -> None:
        if self.is_ended:  # nobody asked for it: parsing stops here
            raise ValueError

    def _on_header(self, name: bytes, value: bytes) -> None:
        key, fields = self._names[name], self._fields
        text = value.decode("latin-1").rstrip(" \t")
        fields[key] = f"{fields[key]}, {text}" if key in fields else text

    def _on_headers_complete(self) -> None:
        fields, self._fields = self._fields, {}
        if len(fields) > MOST_FIELDS:
            raise ValueError
        if self._quiet + self._fed > MOST_HEAD_BYTES:  # else the head cannot be that large
            _check_size(fields)
        self._quiet = -self._fed  # what comes after this head is counted anew
        self.status = status = self._parser.get_status_code()
        if 100 <= status < 200:  # noqa: PLR2004  # RFC 9110, section 15.2: informational
            self._pass_over(status)
            return
        coding = fields.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise ValueError
        self.headers = fields
        self.is_begun = True

    def _pass_over(self, status: int) -> None:
        self._interim += 1
        if status == 101 or self._interim > MOST_INTERIM:  # noqa: PLR2004  # nothing was upgraded
            raise ValueError
        self._is_interim = True

    def _on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
            return
        self.is_ended = True
        if self._fields:
            self._fields = {}  # trailers
        if not self._parser.should_keep_alive():
            self.is_spent = True


def _check_size(fields: dict[str, str]) -> None:
    size = sum(len(name) + len(value) + 4 for name, value in fields.items())
    if size > MOST_HEAD_BYTES:
        raise ValueError


def _no_http() -> UpstreamProtocolError:
    return UpstreamProtocolError("The upstream's answer is not valid HTTP.")
