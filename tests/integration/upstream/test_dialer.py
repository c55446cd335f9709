"""New connections where a name leads to several addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any, cast

import pytest

from app.adapters.upstream.addresses import Addresses
from app.adapters.upstream.connection import Common, Connection
from app.adapters.upstream.dialer import Dialer
from app.adapters.upstream.pool import Pool
from app.adapters.upstream.target import Origin
from app.errors import Overloaded, UpstreamMisconfigured, UpstreamUnreachable
from tests.fakes.scripted_upstream import Line, server, until

ORIGIN = Origin("a.example", 80, is_tls=False)


class Leading:
    """A name that leads to ports of this machine."""

    def __init__(self, *ports: int) -> None:
        self.ports = ports
        self.address = "127.0.0.1"
        self.forgotten = 0

    async def of(self, host: str, port: int) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, each)) for each in self.ports
        ]

    def forget(self, host: str, port: int) -> None:
        self.forgotten += 1


def dialer(names: Leading) -> Dialer:
    loop = asyncio.get_running_loop()
    pool, common = Pool(loop), Common(loop)
    addresses = cast("Addresses", names)
    return Dialer(loop, addresses, lambda origin: Connection(origin, pool, common))


@pytest.fixture
def closed_port() -> Iterator[int]:
    """One that nobody listens at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


@pytest.fixture
def full_port() -> Iterator[int]:
    """One that does not answer: as many wait there already as may."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_an_address_that_refuses(closed_port: int) -> None:
    """The next one is tried."""
    async with server(Line.gone) as upstream:
        names = Leading(closed_port, upstream.port)
        connection = await dialer(names).dial(ORIGIN, 20.0)
        await until(lambda: upstream.open == 1)
        connection.close()
        await until(lambda: upstream.open == 0)
        assert names.forgotten == 0


async def test_an_address_that_is_silent(full_port: int) -> None:
    """Another one is tried beside it, long before the limit; one connection is left."""
    async with server(Line.gone) as upstream:
        dialing = dialer(Leading(full_port, upstream.port))
        async with asyncio.timeout(15):
            connection = await dialing.dial(ORIGIN, 60.0)
        assert len(upstream.lines) == 1
        connection.close()
        await until(lambda: upstream.open == 0)


@pytest.mark.parametrize("address", ["169.254.169.254", "168.63.129.16", "::ffff:169.254.169.254"])
async def test_a_name_that_leads_to_a_metadata_service(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns a name decides where it leads: there it must not, as no URL may."""
    tried: list[object] = []

    async def tries(*args: object, **_: object) -> None:
        tried.append(args)
        raise OSError

    monkeypatch.setattr("app.adapters.upstream.dialer.start_connection", tries)
    names = Leading(443)
    names.address = address
    for is_tls in (True, False):
        with pytest.raises(UpstreamMisconfigured):
            await dialer(names).dial(Origin("a.example", 443, is_tls=is_tls), 20.0)
    assert tried == []


async def test_plain_http_stays_on_this_machine() -> None:
    """`localhost` that leads elsewhere is not called: what is said there could be overheard."""
    names = Leading(80)
    names.address = "10.0.0.1"
    with pytest.raises(UpstreamMisconfigured):
        await dialer(names).dial(Origin("localhost", 80, is_tls=False), 20.0)


async def test_no_address_answers(closed_port: int) -> None:
    """The name is looked up anew next time."""
    names = Leading(closed_port, closed_port)
    dialing = dialer(names)
    with pytest.raises(UpstreamUnreachable):
        await dialing.dial(ORIGIN, 20.0)
    assert names.forgotten == 1


async def test_no_address_answers_in_time(full_port: int) -> None:
    """The limit is one for all that a connection takes."""
    dialing = dialer(Leading(full_port))
    with pytest.raises(UpstreamUnreachable):
        await dialing.dial(ORIGIN, 0.05)


@contextmanager
def no_file_left() -> Iterator[None]:
    """Those that are open stay open."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("addresses", [1, 2])
async def test_no_socket_left(addresses: int) -> None:
    """That says nothing of the upstream, and its addresses are as good as before."""
    async with server(Line.gone) as upstream:
        names = Leading(*[upstream.port] * addresses)
        dialing = dialer(names)
        with no_file_left(), pytest.raises(Overloaded):
            await dialing.dial(ORIGIN, 20.0)
        assert names.forgotten == 0
        (await dialing.dial(ORIGIN, 20.0)).close()
        await until(lambda: upstream.open == 0)


class Unknown(Leading):
    """A name that cannot be looked up."""

    async def of(self, host: str, port: int) -> list[Any]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


async def test_no_socket_left_to_look_a_name_up_with() -> None:
    """The lookup only says that it failed: whether there is a socket is tried."""
    dialing = dialer(Unknown())
    with no_file_left(), pytest.raises(Overloaded):
        await dialing.dial(ORIGIN, 20.0)
    with pytest.raises(UpstreamUnreachable):
        await dialing.dial(ORIGIN, 20.0)
