"""The certificates that this process's listeners serve with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.adapters.background import background
from app.api.listener import CannotListen
from app.api.tls import TlsFiles
from app.settings import Settings
from app.settings.process import Listen, Tls

if TYPE_CHECKING:
    from app.api.certificate import Certificate
    from app.api.tls import RenewedContext
    from app.bootstrap.process import Process


@asynccontextmanager
async def certificate(process: Process, name: str) -> AsyncIterator[RenewedContext | None]:
    """What the listener `name`, data or admin, speaks TLS with in this scope; None: it does not.

    Raises CannotListen for files that cannot be used.
    """
    files = tls_files(process.current.settings.listen, name)
    if files is None:
        yield None
        return
    found = await asyncio.to_thread(_read, files)
    process.certificates[name] = found
    async with background("certificates", found.follow):
        yield found.context


def tls_files(listen: Listen, name: str) -> TlsFiles | None:
    """Those of a listener, by its section."""
    if name == "data":
        return _files("listen.tls", listen.tls)
    return _files("listen.admin_tls", listen.admin_tls)


def certificate_warnings(settings: Settings) -> Iterator[str]:
    """Files that no listener could serve with here and now; where it serves they may be others."""
    for name in ("data", "admin"):
        files = tls_files(settings.listen, name)
        try:
            if files is not None:
                _read(files)
        except CannotListen as bad:
            yield f"warning: {bad}"


def _files(where: str, section: Tls | None) -> TlsFiles | None:
    if section is None:
        return None
    client_ca = Path(section.client_ca) if section.client_ca else None
    cert, key = Path(section.cert), Path(section.key)
    return TlsFiles(where, cert, key, client_ca, section.min_version)


def _read(files: TlsFiles) -> Certificate:
    # Only who serves TLS needs what reads certificates.
    from app.api.certificate import BadCertificate, Certificate  # noqa: PLC0415

    try:
        return Certificate(files)
    except BadCertificate as bad:
        raise CannotListen(str(bad)) from None
