"""One connection for many callers, on real servers in bad states and behind encryption."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.asyncio import Redis

from app.adapters.clock import SystemClock
from app.adapters.redis.batch import Batch, NotSent, Refused, Script, batching
from app.adapters.redis.breaker import FAILURES_TO_OPEN, Breaker, State
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.errors import StoreUnavailable
from tests.fakes.changed import replace
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_client
from tests.fakes.scripted_redis import scripted_redis
from tests.integration.redis.cluster import Server, is_up

needs_server = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


@dataclass(frozen=True, slots=True)
class Site:
    """A server of the test's own, a batch on it, and another way to it."""

    batch: Batch
    breaker: Breaker
    admin: Redis
    url: str

    async def until(self, state: State) -> None:
        """Wait until the breaker has found out."""
        async with asyncio.timeout(PATIENCE_S):
            while self.breaker.state is not state:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(url: str, patience_s: float = PATIENCE_S) -> AsyncIterator[Site]:
    breaker = Breaker(SystemClock())
    async with (
        patient_client(url) as client,
        patient_client(url) as admin,
        batching(client, breaker, patience_s=patience_s) as batch,
    ):
        yield Site(batch, breaker, admin, url)


@pytest.fixture
async def own_url(tmp_path: Path) -> AsyncIterator[str]:
    binaries = replace(installed_binaries(), search=None)
    async with embedded_redis(tmp_path, binaries=binaries) as server:
        yield server.url


async def unknown(call: Awaitable[object]) -> StoreUnavailable:
    """Neither sent for nothing nor refused for good."""
    with pytest.raises(StoreUnavailable) as told:
        await call
    assert not isinstance(told.value, NotSent | Refused)
    return told.value


@needs_server
async def test_a_killed_connection_is_replaced(own_url: str) -> None:
    """By an administrator's hand, with a command on its way; others come through."""
    async with connected(own_url) as site:
        for _ in range(3):
            assert await site.batch.call(("ECHO", "x")) == b"x"
            blocked = asyncio.create_task(site.batch.call(("BLPOP", "nothing", 0)))
            await _until_blocked(site.admin)
            await site.admin.client_kill_filter(_type="normal", skipme=True)
            await unknown(blocked)
        assert site.breaker.failures_total == 3
        assert site.breaker.state is State.CLOSED


async def _until_blocked(admin: Redis) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (await admin.info("clients"))["blocked_clients"]:
            await asyncio.sleep(0.005)


@needs_server
async def test_a_frozen_servers_late_replies_are_nobodys(own_url: str) -> None:
    """It answers everything when it goes on; the next callers get their own all the same."""
    async with connected(own_url, FROZEN_AFTER_S) as site:
        pid = (await site.batch.call(("INFO", "server")))["process_id"]
        for number in range(3):
            os.kill(pid, signal.SIGSTOP)
            try:
                late = (unknown(site.batch.call(("ECHO", f"late {number}"))) for _ in range(5))
                await asyncio.gather(*late)
            finally:
                os.kill(pid, signal.SIGCONT)
            asked = (site.batch.call(("ECHO", f"{number} {each}")) for each in range(5))
            assert await asyncio.gather(*asked) == [
                f"{number} {each}".encode() for each in range(5)
            ]


@needs_server
async def test_a_full_server_is_lost_until_it_has_room(own_url: str) -> None:
    """Writes are told that it cannot be used; reads beside them get their answers."""
    async with connected(own_url) as site:
        await site.batch.call(("SET", "key", "value"))
        await site.admin.config_set("maxmemory-policy", "noeviction")
        await site.admin.config_set("maxmemory", 1)
        for _ in range(FAILURES_TO_OPEN):
            read, _ = await asyncio.gather(
                site.batch.call(("GET", "key")), unknown(site.batch.call(("SET", "other", 1)))
            )
            assert read == b"value"
        assert site.breaker.state is State.OPEN
        await site.admin.config_set("maxmemory", 0)
        site.breaker.hurry()
        await site.until(State.CLOSED)
        assert await site.batch.call(("SET", "other", 1))


@needs_server
async def test_a_server_in_a_long_script_is_no_lost_server(own_url: str) -> None:
    """It says so, and takes the same command afterwards, on the same connection."""
    async with connected(own_url) as site:
        connection = await site.batch.call(("CLIENT", "ID"))
        await site.admin.config_set("lua-time-limit", 1)
        async with patient_client(site.url) as other:
            endless: asyncio.Future[Any] = asyncio.ensure_future(other.eval("while true do end", 0))
            told: StoreUnavailable | None = None
            async with asyncio.timeout(PATIENCE_S):
                while told is None:
                    try:
                        await site.batch.call(("GET", "key"))
                    except StoreUnavailable as busy:
                        told = busy
            assert str(told.__cause__).startswith("BUSY")
            assert not isinstance(told, NotSent | Refused)
            await site.admin.script_kill()
            with suppress(Exception):
                await endless
        assert await site.batch.call(("CLIENT", "ID")) == connection
        assert site.breaker.failures_total == 0


@needs_server
async def test_replies_as_large_as_they_come(own_url: str) -> None:
    """Some tens of megabytes, with small ones before and behind; each is its caller's."""
    async with connected(own_url) as site:
        await site.batch.call(("EVAL", "redis.call('SET', 'large', string.rep('x', 33554432))", 0))
        answers = await asyncio.gather(
            *(
                site.batch.call(("GET", "large") if number == 5 else ("ECHO", str(number)))
                for number in range(10)
            )
        )
        assert len(answers.pop(5)) == 33_554_432
        assert answers == [str(number).encode() for number in range(10) if number != 5]


def appending() -> Script:
    """Adds what it is given to a list."""
    text = "return redis.call('RPUSH', KEYS[1], ARGV[1])"
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return cast("Script", SimpleNamespace(text=text, sha=sha))


@needs_server
async def test_scripts_that_were_forgotten_keep_their_order(own_url: str) -> None:
    """A server that restarts knows none; what was asked first is carried out first."""
    async with connected(own_url) as site:
        append = appending()
        for begun in (0, 50):
            await site.admin.script_flush()
            asked = (site.batch.script(append, "list", str(begun + each)) for each in range(50))
            assert await asyncio.gather(*asked) == list(range(begun + 1, begun + 51))
        kept = await site.batch.call(("LRANGE", "list", 0, -1))
        assert kept == [str(number).encode() for number in range(100)]


class Door:
    """An address that leads to one server now and to another later."""

    def __init__(self) -> None:
        self.leads_to = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to where the door led when it began."""
        with suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", self.leads_to)
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        writer.transport.abort()


@asynccontextmanager
async def doors(leads_to: int) -> AsyncIterator[Door]:
    """One that leads there at first."""
    door = Door()
    door.leads_to = leads_to
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.transport.abort()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """A primary, and another server that is to follow it."""
    binary = installed_binaries().server
    assert binary is not None
    with ExitStack() as stack:
        servers = Server(binary, tmp_path, cluster=False), Server(binary, tmp_path, cluster=False)
        for server in servers:
            server.start()
            stack.callback(server.kill)
            is_up(server)
        yield servers


@needs_server
async def test_a_promoted_replica_is_found_where_the_name_leads(
    pair: tuple[Server, Server],
) -> None:
    """The old primary is demoted and answers on: it is left for the one that takes writes."""
    primary, replica = pair
    async with doors(primary.port) as door:
        with primary.client() as first, replica.client() as second:
            first.config_set("repl-diskless-sync-delay", 0)
            second.replicaof("127.0.0.1", primary.port)
            async with connected(f"redis://127.0.0.1:{door.port}") as site:
                await site.batch.call(("SET", "key", "before"))
                await _until(lambda: second.get("key") == "before")
                second.replicaof("NO", "ONE")
                first.replicaof("127.0.0.1", replica.port)
                door.leads_to = replica.port
                await unknown(site.batch.call(("SET", "key", "refused")))
                assert await site.batch.call(("GET", "key")) == b"before"
                assert await site.batch.call(("SET", "key", "after"))
                assert second.get("key") == "after"
                assert site.breaker.state is State.CLOSED


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until it does; another process has to get on."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


def certificate(folder: Path) -> Path:
    """Of this machine's own address, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "tls.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return pem


RUNS = [pytest.param(asyncio.run, id="asyncio"), pytest.param(uvloop.run, id="uvloop")]
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.mark.parametrize("run", RUNS)
def test_an_encrypted_connection(tmp_path: Path, run: Run) -> None:
    """Checked, handed over after its greeting, cut and made anew, on either event loop."""
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def told() -> None:
        async with scripted_redis(tmp_path, tls=context) as (server, url):
            async with connected(f"{url}?ssl_ca_certs={pem}") as site:
                large = "x" * 1_000_000
                asked = (site.batch.call(("ECHO", f"{number} {large}")) for number in range(20))
                for number, answer in enumerate(await asyncio.gather(*asked)):
                    assert answer == f"{number} {large}".encode()
                server.cut()
                await asyncio.sleep(0.05)
                assert await site.batch.call(("ECHO", "b")) == b"b"
                assert server.connections == 2
            async with connected(url) as strict:
                with pytest.raises(NotSent) as refused:
                    await strict.batch.call(("ECHO", "c"))
                assert "certificate verify failed" in str(refused.value.__cause__)

    run(told())


@needs_server
@pytest.mark.parametrize("run", RUNS)
def test_a_plain_connection(redis_url: str, run: Run) -> None:
    """On either event loop; with a database and a name of its own, as the URL has them."""

    async def told() -> None:
        async with connected(f"{redis_url}?db=3&client_name=one") as site:
            asked = (site.batch.call(("ECHO", str(number))) for number in range(1000))
            assert await asyncio.gather(*asked) == [str(number).encode() for number in range(1000)]
            info = (await site.batch.call(("CLIENT", "INFO"))).decode()
            assert " db=3 " in info
            assert " name=one " in info
            assert " resp=3 " in info

    run(told())
