"""The bytes of a request, checked so that no header can be more than one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from app.adapters.upstream.target import Target
from app.errors import UpstreamMisconfigured

#: Bodies up to this size are sent in one write with their head; larger ones are not copied.
JOINED_BYTES: Final = 64 * 1024
#: Names are remembered as valid; there are a handful.
MOST_NAMES: Final = 512

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Fields that frame a request or are the same in all: nobody else says them.
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


class RequestHeads:
    """Writes heads."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def head(self, method: str, target: Target, headers: Mapping[str, str], length: int) -> bytes:
        """The head of a request with a body of `length` bytes.

        Raises UpstreamMisconfigured for a header that HTTP cannot carry; no value is repeated.
        """
        if not self._names.issuperset(headers):
            self._check_names(headers)
        fields, count = "\r\n".join([*map(": ".join, headers.items()), ""]), len(headers)
        if fields.count("\n") != count or fields.count("\r") != count or "\0" in fields:
            raise _invalid()
        framing = f"content-length: {length}\r\n" if length or method == "POST" else ""
        try:
            return f"{method}{target.lines}{fields}{framing}\r\n".encode("latin-1")
        except UnicodeEncodeError:
            raise _invalid() from None

    def _check_names(self, headers: Mapping[str, str]) -> None:
        for name in headers:
            if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
                raise _invalid()
            if len(self._names) < MOST_NAMES:
                self._names.add(name)


def _invalid() -> UpstreamMisconfigured:
    return UpstreamMisconfigured("The upstream's URL or credential is not valid in HTTP.")
