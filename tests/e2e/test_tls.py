"""TLS on both listeners: who may speak, renewed certificates, and clients that do not finish."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.api.listener import CannotListen
from tests.e2e.raw import chat
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.e2e.test_workers import ADMIN, KEY, serving
from tests.fakes.certificates import Authority

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}


class Files:
    """A listener's files, and whoever trusts them."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.cert, self.key = directory / "tls.crt", directory / "tls.key"
        self.renew()

    def renew(self, *, days: float = 30) -> None:
        """Another certificate in place."""
        certificate, key = self.authority.issued("127.0.0.1", days=days)
        self.cert.write_bytes(certificate)
        self.key.write_bytes(key)

    def section(self, **more: Any) -> dict[str, Any]:
        return {"cert": str(self.cert), "key": str(self.key), **more}

    def client(self) -> ssl.SSLContext:
        """What a client speaks to it with."""
        return ssl.create_default_context(cafile=self.authority.path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@asynccontextmanager
async def encrypted(
    redis_url: str, files: Files, timeouts: dict[str, Any] | None = None, **tls: Any
) -> AsyncIterator[Stack]:
    """A stack with TLS on both listeners."""

    def config(suffix: str) -> dict[str, Any]:
        listen = {"port": 0, "admin_port": 0, "tls": files.section(**tls)}
        listen["admin_tls"] = files.section()
        return ptu_and_paygo(suffix) | {"listen": listen, "timeouts": timeouts or {}}

    async with stack(redis_url, config) as team:
        yield team


def _address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("https://").split(":")
    return host, int(port)


async def _serial(url: str, client: ssl.SSLContext) -> int:
    """Of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection(*_address(url), ssl=client)
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    writer.transport.abort()
    return int(certificate["serialNumber"], 16)


async def test_both_listeners_speak_tls(redis_url: str, files: Files) -> None:
    """Who trusts the authority is served, streams too; HTTP in the clear is not answered."""
    async with encrypted(redis_url, files) as team:
        assert team.process.data_url.startswith("https://")
        connector = aiohttp.TCPConnector(ssl=files.client())
        async with aiohttp.ClientSession(connector=connector) as http:
            url = f"{team.base_url}/chat/completions"
            async with http.post(url, json=CHAT, headers={"api-key": team.key}) as answer:
                assert answer.status == 200
            async with http.post(
                url, json=CHAT | {"stream": True}, headers={"api-key": team.key}
            ) as answer:
                assert (await answer.read()).endswith(b"data: [DONE]\n\n")
            async with http.get(f"{team.process.admin_url}/metrics") as page:
                told = await page.text()
        assert 'spillgate_expiry_timestamp_seconds{kind="certificate",name="data"}' in told
        assert 'spillgate_tls_last_reload_successful{listener="admin"} 1' in told
        reader, writer = await asyncio.open_connection(*_address(team.process.data_url))
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(60):
            assert b"HTTP/1.1" not in await _rest(reader)
        writer.close()


async def test_what_is_spoken(redis_url: str, files: Files) -> None:
    """TLS 1.2 with forward secrecy, 1.3, HTTP/1.1; nothing older, and no other ciphers."""
    async with encrypted(redis_url, files) as team:
        for url in (team.process.data_url, team.process.admin_url):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                client = files.client()
                client.maximum_version = version
                client.set_alpn_protocols(["h2", "http/1.1"])
                _, writer = await asyncio.open_connection(*_address(url), ssl=client)
                shaken = writer.get_extra_info("ssl_object")
                assert shaken.selected_alpn_protocol() == "http/1.1"
                assert shaken.version() == {"TLSv1_2": "TLSv1.2"}.get(version.name, "TLSv1.3")
                writer.transport.abort()
            weak = files.client()
            weak.maximum_version = ssl.TLSVersion.TLSv1_2
            weak.set_ciphers("AES128-SHA256:ECDHE-ECDSA-AES128-SHA")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(*_address(url), ssl=weak)


async def test_the_oldest_version_and_clients_certificates_are_chosen(
    redis_url: str, files: Files, tmp_path: Path
) -> None:
    """With `min_version` and `client_ca`: who does not bring what is asked for is not let in."""
    authority = files.authority
    async with encrypted(
        redis_url, files, client_ca=str(authority.path), min_version="1.3"
    ) as team:
        address = _address(team.process.data_url)
        old = files.client()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(*address, ssl=old)
        assert b"HTTP/1.1" not in await _health(address, files.client())
        known = files.client()
        certificate, key = authority.issued("a client")
        (tmp_path / "client.pem").write_bytes(certificate + key)
        known.load_cert_chain(tmp_path / "client.pem")
        assert b"HTTP/1.1 200 " in await _health(address, known)


async def _health(address: tuple[str, int], client: ssl.SSLContext) -> bytes:
    """What a connection is told: in TLS 1.3 a server may refuse after the client's handshake."""
    try:
        reader, writer = await asyncio.open_connection(*address, ssl=client)
    except OSError:
        return b""
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    said = await _rest(reader)
    writer.transport.abort()
    return said


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except OSError:
        return b""


async def test_a_renewed_certificate_reaches_new_connections(redis_url: str, files: Files) -> None:
    """Within some seconds; a stream that began before goes on. A broken one changes nothing."""
    async with encrypted(redis_url, files) as team:
        client, url = files.client(), team.process.data_url
        before = await _serial(url, client)
        reader, writer = await asyncio.open_connection(*_address(url), ssl=client)
        files.renew(days=60)
        await _until_other(url, client, before)
        renewed = await _serial(url, client)
        assert await _serial(team.process.admin_url, client) != before
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()

        files.renew(days=90)
        await team.process.reload(team.process.current.settings)  # as SIGHUP does
        at_once = await _serial(url, client)
        assert at_once != renewed

        files.key.write_bytes(b"no key at all")
        certificates = team.process.certificates
        await eventually(lambda: not any(each.is_last for each in certificates.values()))
        assert await _serial(url, client) == at_once


async def _until_other(url: str, client: ssl.SSLContext, before: int) -> None:
    async with asyncio.timeout(60):
        while await _serial(url, client) == before:
            await asyncio.sleep(0.2)


async def test_handshakes_that_do_not_end(redis_url: str, files: Files) -> None:
    """Those that shake hands for ever lose their connections, and others are served meanwhile."""
    async with encrypted(redis_url, files, timeouts={"header_s": 2}) as team:
        address = _address(team.process.data_url)
        half = [await asyncio.open_connection(*address) for _ in range(100)]
        for _, writer in half:
            writer.write(bytes.fromhex("16030100c8010000c40303"))  # the beginning of a ClientHello
        assert b"HTTP/1.1 200 " in await _health(address, files.client())
        async with asyncio.timeout(60):
            assert {await _rest(reader) for reader, _ in half} == {b""}
        for _, writer in half:
            writer.close()


async def test_workers_serve_the_renewed_one(tmp_path: Path, files: Files) -> None:
    """Each follows the files itself: after a while no new connection has the old certificate."""
    listen = {"tls": files.section(), "admin_tls": files.section()}
    async with serving(tmp_path, listen=listen) as gateway:
        client = files.client()
        connector = aiohttp.TCPConnector(ssl=client, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as http:
            url = f"{gateway.data}/v1/chat/completions"
            async with http.post(url, data=chat(), headers={"api-key": KEY}) as answer:
                assert answer.status == 200, await answer.text()
            async with http.get(f"{gateway.admin}/admin/v1/me", headers=ADMIN) as answer:
                assert answer.status == 200
        before = await _serial(gateway.data, client)
        files.renew(days=60)
        async with asyncio.timeout(60):
            while before in {await _serial(gateway.data, client) for _ in range(16)}:
                await asyncio.sleep(0.2)


async def test_files_that_cannot_be_used(redis_url: str, files: Files) -> None:
    """The gateway does not start, and says which key names the file."""
    files.key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    with pytest.raises(CannotListen, match=r"listen.admin_tls.key: .*tls.key is no PEM file"):
        async with encrypted(redis_url, files):
            pytest.fail("it serves")
