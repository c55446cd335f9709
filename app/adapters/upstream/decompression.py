"""Bodies that came compressed although we asked for none: read piece by piece, never whole."""

from __future__ import annotations

import zlib
from typing import Final

from app.errors import UpstreamDisconnected, UpstreamProtocolError

#: What one step gives at most, in bytes. A body that unpacks to a thousand times its size comes
#: out as a long answer, not as a large one.
STEP_BYTES: Final = 256 * 1024

#: Lets zlib tell gzip from zlib by the first bytes.
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_READABLE: Final = frozenset({"gzip", "x-gzip", "deflate"})


class Inflater:
    """One compressed body; feed what comes, take what is ready."""

    def __init__(self, encoding: str) -> None:
        """`encoding` is the header's value. Raises UpstreamProtocolError where it is not ours."""
        if encoding.strip().lower() not in _READABLE:
            raise UpstreamProtocolError("The upstream answered in an encoding that was not asked.")
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._waiting = b""

    def feed(self, data: bytes) -> None:
        """Add compressed bytes as they come."""
        self._waiting += data

    def take(self) -> bytes:
        """The next bytes, at most STEP_BYTES; empty where more input is needed.

        Raises UpstreamProtocolError where the input is not what it says it is.
        """
        if self._stream.eof and self._waiting:  # gzip allows several members in a row
            self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            data = self._stream.decompress(self._waiting, STEP_BYTES)
        except zlib.error:
            raise UpstreamProtocolError("The upstream's answer could not be unpacked.") from None
        self._waiting = self._stream.unused_data or self._stream.unconsumed_tail
        return data

    def end(self) -> None:
        """The input has ended. Raises UpstreamDisconnected where it is not whole."""
        if not self._stream.eof:
            raise UpstreamDisconnected("The upstream's answer broke off.")
