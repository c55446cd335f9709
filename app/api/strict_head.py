"""Which heads make no request here, though the parser would let them pass.

What two readers of HTTP could understand differently is refused rather than read: whoever stands
before the gateway may have gone by the other reading. The parser (llhttp, strict) refuses most of
it; this is the rest. Sections are those of RFC 9112 unless another RFC is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import httptools

#: What may come before the end of a request's headers, and one read more.
MAX_HEADER_BYTES: Final = 64 * 1024
#: Of a request's target. RFC 9112, section 3, wants 8000 bytes to be read at least.
MAX_TARGET_BYTES: Final = 16 * 1024
#: Lines of a head; clients behind several proxies send some 50.
MAX_LINES: Final = 200
#: What belongs to no version that is served: what comes around a body's bytes and is none of them.
MAX_AROUND_BYTES: Final = 64 * 1024
#: So much may frame each byte of a body: chunks of one byte come in six.
AROUND_EACH_BYTE: Final = 8

_MOST_HOSTS: Final = 512
#: Targets that are known again, and how long one may be.
_MOST_TARGETS: Final = 512
_LONGEST_TARGET: Final = 256
#: What may stand behind a value and is none of it (RFC 9110, 5.5); the parser leaves it there.
_BLANK: Final = " \t"
#: uri-host [":" port], section 3.2; without the comma, which is what joins two headers.
_HOST: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)


class BadHead(Exception):
    """The head makes no request; the message says why, and holds nothing of it."""

    def __init__(
        self, message: str, status: str = "400 Bad Request", code: str = "invalid_http"
    ) -> None:
        """`status` is its number and words."""
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code


class Hosts(dict[str, bool]):
    """Whether a Host header's value is one host; clients send the same few."""

    def __missing__(self, host: str) -> bool:
        is_host = _HOST.fullmatch(host.rstrip(_BLANK)) is not None
        if len(self) < _MOST_HOSTS:
            self[host] = is_host
        return is_host


class Targets(dict[bytes, tuple[str, str]]):
    """Path and query of a request's target; clients ask for the same few. Raises BadHead.

    One with a query is not kept, there may be a key in it; nor one that names a response.
    """

    def __missing__(self, target: bytes) -> tuple[str, str]:
        parts = parts_of(target)
        is_usual = not parts[1] and "/responses/" not in parts[0]
        if is_usual and len(target) <= _LONGEST_TARGET and len(self) < _MOST_TARGETS:
            self[target] = parts
        return parts


def refuse_bad(version: str, headers: Mapping[str, str], hosts: Hosts) -> None:
    """Raise BadHead for headers, by names in lower case, that make no request of this version."""
    if version != "1.1":
        _refuse_version(version, headers)
    host = headers.get("host")
    if host is None:
        if version == "1.1":
            raise BadHead("The request has no Host header.")
    elif not hosts[host]:
        raise BadHead("The Host header does not name one host.")
    if "transfer-encoding" in headers:
        _refuse_coding(headers["transfer-encoding"])
    if "expect" in headers and headers["expect"].rstrip(_BLANK).lower() != "100-continue":
        message = "The only expectation that is met is 100-continue."
        raise BadHead(message, "417 Expectation Failed", "expectation_failed")


def several_hosts() -> BadHead:
    """Section 3.2: whoever stands before us may have gone by another one of them."""
    return BadHead("The request has more than one Host header.")


def too_many_lines() -> BadHead:
    """Each costs time, and joining many of one name much more."""
    message = f"The request has more than {MAX_LINES} header lines."
    return BadHead(message, "431 Request Header Fields Too Large", "headers_too_large")


def long_target() -> BadHead:
    """Section 3: 414 for a target that is longer than what is read."""
    message = f"The request's target is longer than {MAX_TARGET_BYTES} bytes."
    return BadHead(message, "414 URI Too Long", "target_too_long")


def no_http() -> BadHead:
    """What the parser cannot read."""
    return BadHead("Invalid HTTP request received.")


def no_upgrade() -> BadHead:
    """The parser stops at such a head: the body would be read as the next request."""
    message = "Upgrading the connection to another protocol is not supported."
    return BadHead(message, code="upgrade_not_supported")


def large_head() -> BadHead:
    """The parser would collect it for ever."""
    message = f"The headers are larger than {MAX_HEADER_BYTES} bytes."
    return BadHead(message, "431 Request Header Fields Too Large", "headers_too_large")


def too_much_around() -> BadHead:
    """Chunks may have extensions, and trailers; nobody counts what is no body."""
    return BadHead("Too much comes around the body that is none of it.")


def parts_of(target: bytes) -> tuple[str, str]:
    """Path and query of a request's target, as a path or a URL (sections 3.2.1 and 3.2.2).

    Raises BadHead for what is neither: nothing is asked of a server as a whole here. A host in the
    target is not looked at, because nothing is chosen by host.
    """
    if b"#" in target:
        raise BadHead("The request's target has a fragment.")
    if target.startswith(b"/"):
        path, _, query = target.decode("ascii").partition("?")
        return path, query
    return _absolute(target)


def _absolute(target: bytes) -> tuple[str, str]:
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserError:
        raise _no_target() from None
    if url.schema not in {b"http", b"https"} or not url.host or url.userinfo is not None:
        raise _no_target()
    return (url.path or b"/").decode("ascii"), (url.query or b"").decode("ascii")


def _no_target() -> BadHead:
    return BadHead("The request's target is neither a path nor an http URL.")


def _refuse_version(version: str, headers: Mapping[str, str]) -> None:
    """What the parser reads as others: HTTP/2 without its preface, and a line without a version."""
    if version != "1.0":
        message = "HTTP is served in versions 1.0 and 1.1 alone."
        raise BadHead(message, "505 HTTP Version Not Supported", "http_version_not_supported")
    if "transfer-encoding" in headers:  # section 6.1: its framing is faulty
        raise BadHead("HTTP/1.0 knows no Transfer-Encoding.")


def _refuse_coding(value: str) -> None:
    """Sections 6.1 and 6.3: chunks alone are read; a body that does not end in chunks has no end.

    A list is refused even where it ends in `chunked`, or names it behind nothing: readers differ.
    """
    codings = [each.strip(_BLANK).lower() for each in value.split(",")]
    if codings == ["chunked"]:
        return
    if codings[-1] == "chunked" and all(codings) and codings.count("chunked") == 1:
        message = "The only transfer coding that is read is chunked."
        raise BadHead(message, "501 Not Implemented", "transfer_coding_not_supported")
    raise BadHead("The Transfer-Encoding header does not say where the body ends.")
