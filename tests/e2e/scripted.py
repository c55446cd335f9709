"""One upstream for many deployments, each with a script of its own: any bytes, over TLS or not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from tests.fakes.issuer import rsa_key


@dataclass(frozen=True, slots=True)
class Script:
    """What is sent, part by part; then the connection ends, or is kept open. Seconds."""

    parts: tuple[bytes, ...]
    stalls: bool = False
    after_s: float = 0.0


@dataclass(slots=True)
class Scripted:
    """What it was asked, heads and bodies, by the first part of the path."""

    url: str = ""
    heads: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    connections: int = 0


@asynccontextmanager
async def scripted(scripts: Mapping[str, Script]) -> AsyncIterator[Scripted]:
    """Each request gets the script of its path's first part, as it is then; `url` is without it."""
    kept = Scripted()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        name = head.split(" ", 2)[1].split("/")[1]
        kept.heads[name] = head
        kept.bodies[name] = await reader.readexactly(_length(head))
        script = scripts[name]
        await asyncio.sleep(script.after_s)
        for part in script.parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)  # let the other side read this part by itself
        if script.stalls:
            await asyncio.Event().wait()

    async with _serving(serve, kept) as address:
        kept.url = f"http://{address}"
        yield kept


@asynccontextmanager
async def blurting(data: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """Whoever connects is sent this, whatever was asked; with `tls` inside of it."""
    kept = Scripted()

    async def blurt(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    async with _serving(blurt, kept, tls) as kept.url:
        yield kept


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _serving(
    serve: Serve, kept: Scripted, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server's address; who is still at work at the end is given up."""
    at_work: set[asyncio.Task[None]] = set()

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.connections += 1
        with (
            closing(writer),
            suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError),
        ):
            await serve(reader, writer)

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(each(reader, writer))
        at_work.add(task)
        task.add_done_callback(at_work.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)


def self_signed(name: str, folder: Path) -> ssl.SSLContext:
    """A server's certificate of this name, signed by nobody that anybody knows."""
    key, subject = rsa_key("tls"), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "tls.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _length(head: str) -> int:
    lines = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    return int(lines[0].split(":")[1]) if lines else 0
