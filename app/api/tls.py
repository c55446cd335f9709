"""TLS of a listener: a context that stays, and that new connections begin with another of."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

import msgspec

from app.api.listener import ConnectionLimits

#: Of TLS 1.2, with forward secrecy and authenticated; TLS 1.3 has no others.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
#: For a client to say goodbye in TLS, too; then its connection is dropped. Seconds.
_GOODBYE_S: Final = 2.0


class TlsFiles(msgspec.Struct, frozen=True):
    """Where a listener's certificate is; `where` is the section that says so, for messages."""

    where: str
    cert: Path
    key: Path
    client_ca: Path | None = None
    min_version: str = "1.2"


class RenewedContext(ssl.SSLContext):
    """What a server holds on to: each new connection begins with the context of the moment.

    A connection keeps the context that it began with.
    """

    current: ssl.SSLContext

    @classmethod
    def of(cls, current: ssl.SSLContext) -> RenewedContext:
        """Begin with this one."""
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context.current = current
        return context

    def wrap_bio(self, *given: Any, **more: Any) -> ssl.SSLObject:
        """What asyncio and uvloop ask for at each connection."""
        return self.current.wrap_bio(*given, **more)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context with these files. Raises OSError, of which ssl.SSLError is one.

    Without compression, renegotiation and passwords; the server chooses the cipher. HTTP/1.1 is all
    that it speaks (ALPN, RFC 7301).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[files.min_version]
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.cert, files.key, password="")  # encrypted ones are no surprise
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.client_ca)
    return context


def tls_options(tls: RenewedContext | None, limits: ConnectionLimits) -> dict[str, Any]:
    """What an event loop's `create_server` is told: a handshake has the time of a head."""
    if tls is None:
        return {}
    return {
        "ssl": tls,
        "ssl_handshake_timeout": limits.header_s,
        "ssl_shutdown_timeout": _GOODBYE_S,
    }
