"""A listener's certificate, and the one that takes its place.

Files are replaced while a gateway serves: by certbot and the like, which write or link anew, and by
Kubernetes, which swaps a directory that it links to. What cannot be used changes nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from app.api.tls import RenewedContext, TlsFiles, server_context

_LOOK_S: Final = 1.0

#: Where a file really is, and what tells one content from another.
_Signature = tuple[tuple[str, int, int, int] | None, ...]

_log = structlog.get_logger()


class BadCertificate(Exception):
    """Files that no TLS can be had with; says which key of the configuration names them, and why.

    Nothing of what is in them.
    """


class Certificate:
    """What one listener serves with."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises BadCertificate."""
        self._files = files
        self._tried = self._seen = _signature(files)
        context, self.ends = _opened(files)
        self.context = RenewedContext.of(context)
        #: Whether the files in place are the ones that are served with.
        self.is_last = True

    async def follow(self) -> None:
        """Take what is put in place of the files, for ever, about a second or two later."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self, *, at_once: bool = False) -> None:
        """Take the files where they are others; not `at_once`: when nothing changes them any more.

        One of the two is always replaced first.
        """
        found, before = _signature(self._files), self._seen
        self._seen = found
        if found == self._tried or (found != before and not at_once):
            return
        self._tried = found
        try:
            self.context.current, self.ends = _opened(self._files)
        except BadCertificate as bad:
            self.is_last = False
            _log.error("certificate not renewed", problem=str(bad), in_force_until=_day(self.ends))
            return
        self.is_last = True
        _log.info("certificate renewed", section=self._files.where, ends=_day(self.ends))


def _opened(files: TlsFiles) -> tuple[ssl.SSLContext, float]:
    """A context, and when the first certificate of the chain ends, as Unix time."""
    chain = _chain(f"{files.where}.cert", files.cert)
    _look_at_key(files, chain[0])
    if files.client_ca is not None:
        _chain(f"{files.where}.client_ca", files.client_ca)
    try:
        context = server_context(files)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or "they were changed meanwhile"
        raise BadCertificate(f"{files.where}: cannot be used: {reason}") from None
    ends = min(each.not_valid_after_utc for each in chain)
    if ends <= datetime.now(UTC):
        _log.error("certificate has ended", section=files.where, ended=_day(ends.timestamp()))
    return context, ends.timestamp()


def _chain(key: str, path: Path) -> Sequence[x509.Certificate]:
    content = _content(key, path)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise BadCertificate(f"{key}: {path} is no PEM file of certificates") from None


def _look_at_key(files: TlsFiles, certificate: x509.Certificate) -> None:
    key, path = f"{files.where}.key", files.key
    content = _content(key, path)
    try:
        private = load_pem_private_key(content, password=None)
    except TypeError:
        raise BadCertificate(f"{key}: {path} is encrypted, and no password is known") from None
    except Exception:  # noqa: BLE001  # ValueError, UnsupportedAlgorithm; none says more than this
        raise BadCertificate(f"{key}: {path} is no PEM file of a private key") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        message = f"{key}: {path} is not the key of the first certificate in {files.cert}"
        raise BadCertificate(message)


def _content(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{key}: {path} cannot be read: {error.strerror}") from None


def _signature(files: TlsFiles) -> _Signature:
    paths = [path for path in (files.cert, files.key, files.client_ca) if path is not None]
    return tuple(_signature_of(path) for path in paths)


def _signature_of(path: Path) -> tuple[str, int, int, int] | None:
    try:
        found = path.stat()
        # Of the inode's change: who may read a file counts, too, and its own time can be set back.
        return str(path.resolve(strict=True)), found.st_ino, found.st_ctime_ns, found.st_size
    except OSError:
        return None


def _day(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")
