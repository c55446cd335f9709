"""Classes of HTTP that two readers may understand differently, or one not at all.

Each says what is sent, which rule it bends, and what the gateway does: a refusal that ends the
connection, or the one reading that it has. `docs/http.md` shows them as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.cli.key import new_key
from tests.e2e.raw import CHAT_PATH, chat, request

#: Stands for the tenant's key, and is as long: lengths below count it.
KEY: Final = "<key>".ljust(len(new_key("test")), "-")
#: Of the request that hides in, or behind, each of those below.
SMUGGLED_TOKENS: Final = 7

BODY: Final = chat()
SMUGGLED: Final = request(chat(max_tokens=SMUGGLED_TOKENS), headers=(("api-key", KEY),))
_CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
_SIZE: Final = f"{len(BODY):x}"
_TE: Final = "Transfer-Encoding: chunked"
_CL: Final = f"Content-Length: {len(BODY)}"


@dataclass(frozen=True, slots=True)
class HttpClass:
    """One of them. `rule` is of RFC 9112 unless it says otherwise."""

    group: str
    name: str
    rule: str
    sent: bytes
    status: int
    #: How it is read; empty where it is refused, and the connection closed.
    reading: str = ""

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow it on its connection, though it is read."""
        return b"HTTP/1.0" in self.sent or b"Connection:" in self.sent


def _head(
    *lines: str | bytes,
    method: str = "POST",
    target: str | bytes = CHAT_PATH,
    version: str = " HTTP/1.1",
    host: str | bytes = "Host: gateway\r\n",
) -> bytes:
    first = _bytes(method) + b" " + _bytes(target) + _bytes(version) + b"\r\n"
    key = _bytes(f"API-Key: {KEY}\r\n")
    return first + _bytes(host) + key + b"".join(_bytes(each) + b"\r\n" for each in lines) + b"\r\n"


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def _usual(*lines: str | bytes, **more: str) -> bytes:
    return _head(*lines, _CL, **more) + BODY


def _framed(*lines: str | bytes) -> bytes:
    """A body in chunks, with its length or whatever else these lines say of it."""
    return _head(*lines) + _CHUNKS


def _chunked(chunks: str | bytes) -> bytes:
    return _head(_TE) + _bytes(chunks)


def _size(size: str) -> bytes:
    return _chunked(size.encode("latin-1") + BODY + b"\r\n0\r\n\r\n")


_HIDDEN: Final = b"0\r\n\r\n" + SMUGGLED

_LENGTHS: Final = (
    ("length and chunks", "6.3 (3)", _framed(f"Content-Length: {len(_HIDDEN)}", _TE)),
    ("chunks and length", "6.3 (3)", _framed(_TE, f"Content-Length: {len(_HIDDEN)}")),
    ("two lengths that differ", "6.3 (5)", _head("Content-Length: 5", _CL) + BODY),
    ("two lengths that agree", "6.3 (5)", _head(_CL, _CL) + BODY),
    ("a list of equal lengths", "6.3 (5)", _head(f"{_CL}, {len(BODY)}") + BODY),
    ("a list of lengths that differ", "6.3 (5)", _head(f"{_CL}, 5") + BODY),
    ("a length with a plus", "RFC 9110, 8.6", _head(f"Content-Length: +{len(BODY)}") + BODY),
    ("a negative length", "RFC 9110, 8.6", _head("Content-Length: -1") + BODY),
    ("a hexadecimal length", "RFC 9110, 8.6", _head(f"Content-Length: 0x{_SIZE}") + BODY),
    ("a length of letters", "RFC 9110, 8.6", _head("Content-Length: five") + BODY),
    ("a length in two", "RFC 9110, 8.6", _head("Content-Length: 8 1") + BODY),
    ("a length with a fraction", "RFC 9110, 8.6", _head(f"{_CL}.0") + BODY),
    ("an empty length", "RFC 9110, 8.6", _head("Content-Length:") + BODY),
    ("a length beyond 64 bits", "RFC 9110, 8.6", _head("Content-Length: 18446744073709551620")),
    ("a length with a comma before it", "RFC 9110, 8.6", _head(f"Content-Length: ,{len(BODY)}")),
)  # fmt: skip

_CODINGS: Final = (
    ("a coding before chunked", "6.1", "Transfer-Encoding: gzip, chunked", 501),
    ("identity before chunked", "6.1", "Transfer-Encoding: identity, chunked", 501),
    ("two headers, the second chunked", "6.1",
     "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", 501),
    ("chunked, then identity", "6.3 (4)", "Transfer-Encoding: chunked, identity", 400),
    ("chunked twice", "6.1", "Transfer-Encoding: chunked, chunked", 400),
    ("two headers of chunked", "6.1", f"{_TE}\r\n{_TE}", 400),
    ("two headers, the first chunked", "6.3 (4)", f"{_TE}\r\nTransfer-Encoding: identity", 400),
    ("identity alone", "6.3 (4)", "Transfer-Encoding: identity", 400),
    ("xchunked", "6.3 (4)", "Transfer-Encoding: xchunked", 400),
    ("chunkedx", "6.3 (4)", "Transfer-Encoding: chunkedx", 400),
    ("chunked in quotes", "6.3 (4)", 'Transfer-Encoding: "chunked"', 400),
    ("chunked with a parameter", "6.3 (4)", "Transfer-Encoding: chunked;q=1", 400),
    ("chunked behind a comma", "6.1", "Transfer-Encoding: ,chunked", 400),
    ("chunked before a comma", "6.1", "Transfer-Encoding: chunked,", 400),
    ("chunked before a blank", "5", "Transfer-Encoding: chunked \t", 400),
    ("an empty coding", "6.1", "Transfer-Encoding:", 400),
    ("chunked behind a vertical tab", "RFC 9110, 5.5", "Transfer-Encoding:\x0bchunked", 400),
    ("chunked behind a null", "RFC 9110, 5.5", "Transfer-Encoding: \x00chunked", 400),
    ("chunked on a folded line", "5.2", "Transfer-Encoding:\r\n chunked", 400),
    ("a space before the coding's colon", "5.1", "Transfer-Encoding : chunked", 400),
    ("a tab before the coding's colon", "5.1", "Transfer-Encoding\t: chunked", 400),
)  # fmt: skip

_SIZES: Final = (
    ("a size with a plus", f"+{_SIZE}\r\n"),
    ("a size with a minus", f"-{_SIZE}\r\n"),
    ("a size with 0x", f"0x{_SIZE}\r\n"),
    ("a size beyond 64 bits", f"1000000000000000{_SIZE}\r\n"),
    ("a space before a size", f" {_SIZE}\r\n"),
    ("a space behind a size", f"{_SIZE} \r\n"),
    ("a tab behind a size", f"{_SIZE}\t\r\n"),
    ("no size", "\r\n"),
    ("a size of letters", "zz\r\n"),
    ("a size with an underscore", f"{_SIZE[0]}_{_SIZE[1:]}\r\n"),
    ("a size's line that a line feed ends", f"{_SIZE}\n"),
    ("a size's line that a carriage return ends", f"{_SIZE}\r"),
    ("an extension that a line feed ends", f"{_SIZE};a=b\n"),
    ("an extension with a line end in quotes", f'{_SIZE};a="\r\n"\r\n'),
    ("an extension with a null", f"{_SIZE};a=\x00\r\n"),
)  # fmt: skip

_AFTER_CHUNKS: Final = (
    ("a chunk longer than its size", b"5\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a chunk that nothing ends", _SIZE.encode() + b"\r\n" + BODY + b"0\r\n\r\n"),
    ("a chunk that a line feed ends", _SIZE.encode() + b"\r\n" + BODY + b"\n0\r\n\r\n"),
    ("a last chunk that a line feed ends", _SIZE.encode() + b"\r\n" + BODY + b"\r\n0\n\n"),
    ("a length as a trailer", _CHUNKS[:-2] + b"Content-Length: 5\r\n\r\n"),
    ("a coding as a trailer", _CHUNKS[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"),
    ("a trailer without a colon", _CHUNKS[:-2] + b"trailer\r\n\r\n"),
    ("a folded trailer", _CHUNKS[:-2] + b"a: b\r\n c\r\n\r\n"),
)

_LINES: Final = (
    ("lines that line feeds end", "2.2", _usual().replace(b"\r\n", b"\n")),
    ("one line that a line feed ends", "2.2", _usual("A: b\nC: d")),
    ("one line that a carriage return ends", "2.2", _usual("A: b\rC: d")),
    ("a carriage return in a value", "2.2", _usual("A: b\rc")),
    ("a head that two line feeds end", "2.2",
     _usual().replace(b"\r\n\r\n", b"\r\n\n")),
    ("a folded line", "5.2", _usual("A: b\r\n c")),
    ("a line folded with a tab", "5.2", _usual("A: b\r\n\tc")),
    ("a blank before the first header", "2.2", _usual(host=" Host: gateway\r\n")),
    ("a space before a colon", "5.1", _usual("A : b")),
    ("a space in a name", "5.1", _usual("A b: c")),
    ("no name", "5.1", _usual(": b")),
    ("no colon", "5", _usual("A")),
    ("a null in a name", "RFC 9110, 5.1", _usual("A\x00: b")),
    ("a control character in a name", "RFC 9110, 5.1", _usual("A\x01: b")),
    ("a letter beyond ASCII in a name", "RFC 9110, 5.1", _usual("\xc4: b")),
    ("a bracket in a name", "RFC 9110, 5.1", _usual("A(b): c")),
    ("a null in a value", "RFC 9110, 5.5", _usual("A: b\x00c")),
    ("a control character in a value", "RFC 9110, 5.5", _usual("A: b\x01c")),
    ("a delete character in a value", "RFC 9110, 5.5", _usual("A: b\x7fc")),
)  # fmt: skip

_HOSTS: Final = (
    ("no host", ""),
    ("two hosts", "Host: gateway\r\nHost: elsewhere\r\n"),
    ("one host twice", "Host: gateway\r\nHost: gateway\r\n"),
    ("two hosts in one header", "Host: gateway, elsewhere\r\n"),
    ("a host with a space", "Host: gateway elsewhere\r\n"),
    ("a host with a path", "Host: gateway/v1\r\n"),
    ("a host with a fragment", "Host: gateway#@elsewhere\r\n"),
    ("a host with a user", "Host: user@gateway\r\n"),
    ("a host with a port of letters", "Host: gateway:http\r\n"),
)

_REQUEST_LINES: Final = (
    ("HTTP/2.0 in words", "2.6", _usual(version=" HTTP/2.0"), 505),
    ("HTTP/0.9 in words", "2.6", _usual(version=" HTTP/0.9"), 505),
    ("no version", "2.6", _usual(version=""), 505),
    ("HTTP/1.2", "2.3", _usual(version=" HTTP/1.2"), 400),
    ("HTTP/9.9", "2.3", _usual(version=" HTTP/9.9"), 400),
    ("HTTP/1.10", "2.3", _usual(version=" HTTP/1.10"), 400),
    ("HTTP/01.1", "2.3", _usual(version=" HTTP/01.1"), 400),
    ("http in small letters", "2.3", _usual(version=" http/1.1"), 400),
    ("a blank behind the version", "3", _usual(version=" HTTP/1.1 "), 400),
    ("HTTP/2's preface", "RFC 9113, 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("TLS", "2.1", bytes.fromhex("16030100c8010000c40303") + b"\r\n\r\n", 400),
    ("no request at all", "3", b"hello there\r\n\r\n", 400),
    ("a blank before the method", "3", b" " + _usual(), 400),
    ("a method in small letters", "3.1", _usual(method="post"), 400),
    ("an unknown method", "3.1", _usual(method="BREW"), 400),
    ("a tab behind the method", "3", _usual().replace(b"POST ", b"POST\t"), 400),
    ("CONNECT", "RFC 9110, 9.3.6", _head(method="CONNECT", target="gateway:443"), 400),
    ("a target with a space", "3.2", _usual(target=f"{CHAT_PATH} x"), 400),
    ("a target with a fragment", "3.2.1", _usual(target=f"{CHAT_PATH}#a"), 400),
    ("a target with a null", "3.2", _usual(target=f"{CHAT_PATH}\x00"), 400),
    ("a target with a control character", "3.2", _usual(target=f"{CHAT_PATH}\x01"), 400),
    ("a target with a delete character", "3.2", _usual(target=f"{CHAT_PATH}\x7f"), 400),
    ("a target with letters beyond ASCII", "3.2", _usual(target=f"{CHAT_PATH}\xe9"), 400),
    ("a relative target", "3.2", _usual(target=CHAT_PATH[1:]), 400),
    ("an asterisk", "3.2.4", _head(method="OPTIONS", target="*"), 400),
    ("a URL of another scheme", "3.2.2", _usual(target=f"ftp://gateway{CHAT_PATH}"), 400),
    ("a URL with a user", "RFC 9110, 4.2.4", _usual(target=f"http://a@gateway{CHAT_PATH}"), 400),
    ("a URL with a fragment", "3.2.2", _usual(target=f"http://gateway{CHAT_PATH}#a"), 400),
    ("a long target", "3", _usual(target=f"{CHAT_PATH}?{'a' * 20_000}"), 414),
    ("many headers", "5", _usual(*(f"A{number}: b" for number in range(300))), 431),
    ("one header many times", "5", _usual(*("A: b" for _ in range(300))), 431),
    ("headers without end", "5", _usual(f"A: {'b' * 1_000_000}"), 431),
    ("an upgrade to h2c", "RFC 9110, 7.8",
     _head("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
           f"Content-Length: {len(SMUGGLED)}") + SMUGGLED, 400),
    ("an upgrade to WebSocket", "RFC 9110, 7.8",
     _usual("Connection: Upgrade", "Upgrade: websocket"), 400),
    ("another expectation", "RFC 9110, 10.1.1", _usual("Expect: 200-ok"), 417),
    ("chunks in HTTP/1.0", "6.1", _framed(_TE).replace(b"/1.1\r\n", b"/1.0\r\n"), 400),
)  # fmt: skip

#: Read, and answered with this status.
_READ: Final = (
    ("chunked in capitals", "7", _framed("TRANSFER-ENCODING: CHUNKED"), 200, "as chunked"),
    ("chunked behind a tab", "5", _framed("Transfer-Encoding:\tchunked"), 200, "as chunked"),
    ("an underscore for the hyphen", "RFC 9110, 5.1",
     _head(_CL, "Transfer_Encoding: chunked") + BODY, 200, "no such header: the length counts"),
    ("a coding under another name", "RFC 9110, 5.1",
     _head(_CL, "X-Transfer-Encoding: chunked") + BODY, 200, "no such header: the length counts"),
    ("a length with zeros before it", "RFC 9110, 8.6",
     _head(f"Content-Length: 00{len(BODY)}") + BODY, 200, "decimal"),
    ("a length before a blank", "5", _head(f"{_CL} ") + BODY, 200, "without the blank"),
    ("a length of nothing", "6.3 (6)", _head("Content-Length: 0"), 400, "an empty body, no JSON"),
    ("neither length nor chunks", "6.3 (7)", _head(), 400, "an empty body, no JSON"),
    ("a length that takes in what follows", "6.3 (6)",
     _head(f"Content-Length: {len(BODY) + len(SMUGGLED)}") + BODY + SMUGGLED, 400,
     "one body, no JSON"),
    ("a size with zeros before it", "7.1", _size(f"000000000000000{_SIZE}\r\n"), 200,
     "hexadecimal"),
    ("a size in capitals", "7.1", _size(f"{_SIZE.upper()}\r\n"), 200, "hexadecimal"),
    ("an extension", "7.1.1", _size(f"{_SIZE};a=b;c\r\n"), 200, "without it"),
    ("an extension in quotes", "7.1.1", _size(f'{_SIZE};a="b;0"\r\n'), 200, "without it"),
    ("trailers", "7.1.2", _chunked(_CHUNKS[:-2] + b"api-key: other\r\n\r\n"), 200,
     "without them: they are no headers"),
    ("HTTP/1.0", "RFC 9110, 2.5", _usual(version=" HTTP/1.0"), 200,
     "the connection's last request"),
    ("HTTP/1.0 without a host", "3.2", _usual(version=" HTTP/1.0", host=""), 200,
     "the connection's last request"),
    ("RTSP's name for the version", "3", _usual(version=" RTSP/1.1"), 200, "as HTTP/1.1"),
    ("a blank line before it", "2.2", b"\r\n\r\n" + _usual(), 200, "without it"),
    ("two blanks in the request line", "3", _usual().replace(b"POST ", b"POST  "), 200, "as one"),
    ("a URL", "3.2.2", _usual(target=f"http://gateway{CHAT_PATH}"), 200, "its path"),
    ("a URL of another host", "3.2.2", _usual(target=f"http://elsewhere{CHAT_PATH}"), 200,
     "its path: nothing is chosen by host"),
    ("two slashes before it", "3.2.1", _usual(target=f"//elsewhere{CHAT_PATH}"), 404,
     "a path, and none that is served"),
    ("percent nonsense in the path", "3.2", _usual(target=f"{CHAT_PATH}%zz"), 404,
     "a path, and none that is served"),
    ("percent nonsense in the query", "3.2", _usual(target=f"{CHAT_PATH}?a=%zz"), 200,
     "a query that says nothing"),
    ("an empty host", "3.2", _usual(host="Host:\r\n"), 200, "nothing is chosen by host"),
    ("an IPv6 host", "3.2", _usual(host="Host: [::1]:8080\r\n"), 200, "nothing is chosen by host"),
    ("letters beyond ASCII in a value", "RFC 9110, 5.5", _usual("A: \xe9\xff"), 200, "Latin-1"),
    ("a header twice", "RFC 9110, 5.3", _usual(f"API-Key: {KEY}"), 401,
     "as one with a comma: two keys are none"),
    ("100-continue", "RFC 9110, 10.1.1", _usual("Expect: 100-continue"), 200,
     "asked for the body only where that is missing"),
    ("an upgrade that Connection does not name", "RFC 9110, 7.8", _usual("Upgrade: h2c"), 200,
     "without it"),
    ("close and keep-alive", "9.3", _usual("Connection: close, keep-alive"), 200, "close"),
    ("Connection names the key", "RFC 9110, 7.6.1", _usual("Connection: close, api-key"), 200,
     "headers go upstream by a list of ours"),
    ("GET with a body", "RFC 9110, 9.3.1", _usual(method="GET"), 405, "with it, to its end"),
    ("GET with a body in chunks", "RFC 9110, 9.3.1",
     _head(_TE, method="GET") + _CHUNKS, 405, "with it, to its end"),
    ("junk behind a request that closes", "9.6", _usual("Connection: close") + b"junk\r\n\r\n",
     200, "it is not read"),
)  # fmt: skip


def _all() -> tuple[HttpClass, ...]:
    hosts = tuple((name, "3.2", _usual(host=host)) for name, host in _HOSTS)
    sizes = tuple((name, "7.1", _size(size)) for name, size in _SIZES)
    after = tuple((name, "7.1", _chunked(chunks)) for name, chunks in _AFTER_CHUNKS)
    refused = {"lengths": _LENGTHS, "chunks": sizes + after, "lines": _LINES, "hosts": hosts}
    return (
        *(HttpClass("lengths", *each, 400) for each in refused.pop("lengths")),
        *(HttpClass("codings", name, rule, _framed(te), told) for name, rule, te, told in _CODINGS),
        *(HttpClass(group, *each, 400) for group, some in refused.items() for each in some),
        *(HttpClass("requests", *each) for each in _REQUEST_LINES),
        *(HttpClass("read", *each) for each in _READ),
    )


CLASSES: Final = _all()
REFUSED: Final = tuple(each for each in CLASSES if not each.reading)
READ: Final = tuple(each for each in CLASSES if each.reading)
