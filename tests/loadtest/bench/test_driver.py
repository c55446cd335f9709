from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from loadtest.bench.driver import driven
from loadtest.bench.driver_spec import Arriving, Asked, LeaversLoad, Spec, StreamLoad
from loadtest.bench.driver_streams import beginnings
from loadtest.bench.payloads import LAST_FRAMES, chat
from loadtest.bench.stream_server import Connection, turning, wheel_of

FRAMES = 12

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A stream server's: 12 frames, 2 ms apart."""
    wheel = wheel_of(FRAMES, 0.002)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(wheel), "127.0.0.1", 0)
    turner = asyncio.create_task(turning(wheel))
    async with server:
        yield server.sockets[0].getsockname()[1]
        turner.cancel()


def asked(port: int, path: str = "/streams/v1/chat/completions") -> Asked:
    return Asked(port, path, chat(stream=True))


async def test_every_frame_of_every_stream_is_counted(port: int) -> None:
    """Those that end a stream among them; no stream is left unfinished."""
    found = (await driven(Spec(0.2, streams=StreamLoad(asked(port), at_once=5)))).streams
    assert found is not None
    assert found.streams >= 5
    assert (found.frames, found.failed) == (found.streams * (FRAMES + LAST_FRAMES), 0)
    assert (found.changed, found.crc32 > 0) == (0, True)


@pytest.mark.parametrize("at_once", [50, 400])
def test_streams_do_not_have_their_frames_at_the_same_time(at_once: int) -> None:
    """Of frames 10 ms apart no millisecond has three times its part; every run is the same."""
    begin = beginnings(at_once)
    by_ms = Counter(int(each * 1000) % 10 for each in begin)
    assert max(by_ms.values()) < 3 * at_once / 10
    assert (len(by_ms), begin) == (10, beginnings(at_once))


async def test_a_stream_with_other_bytes_is_changed(port: int) -> None:
    """All of them are compared, with what comes without a gateway."""
    load = StreamLoad(asked(port), at_once=2, crc32=1)
    found = (await driven(Spec(0.1, streams=load))).streams
    assert found is not None
    assert found.changed == found.streams > 0


async def test_requests_come_when_they_are_due(port: int) -> None:
    """As many as the rate says, give or take chance; all of them answered."""
    arriving = Arriving(asked(port, "/v1/traces"), per_s=400, connections=8)
    (found,) = (await driven(Spec(1.0, [arriving]))).answers
    assert 300 < found.answered < 500
    assert found.failed == 0
    assert 0 < found.p50 <= found.p99 <= found.slowest


async def test_waiting_for_a_connection_counts(port: int) -> None:
    """One connection and answers of 24 ms: most of a time is from when the request was due."""
    arriving = Arriving(asked(port), per_s=100, connections=1)
    (found,) = (await driven(Spec(0.5, [arriving]))).answers
    assert found.slowest > 5 * FRAMES * 2


async def test_a_rate_of_nothing_is_one_after_the_other(port: int) -> None:
    """On each connection, as long as there is time."""
    arriving = Arriving(asked(port, "/v1/traces"), per_s=0, connections=2)
    (found,) = (await driven(Spec(0.2, [arriving]))).answers
    assert found.answered > 2
    assert found.failed == 0


async def test_clients_leave_in_the_middle(port: int) -> None:
    """One after the other, beside others that stay to the end."""
    spec = Spec(0.3, streams=StreamLoad(asked(port), 2), leavers=LeaversLoad(asked(port), 3))
    found = await driven(spec)
    assert found.left >= 3
    assert found.streams is not None
    assert found.streams.failed == 0


@pytest.mark.parametrize("requests", [1, 3, 50])
async def test_so_many_are_asked_for_and_no_more(port: int, requests: int) -> None:
    """Fewer than there are connections, or more: each is answered, however long it takes."""
    arriving = Arriving(asked(port, "/v1/traces"), 0, connections=4, requests=requests)
    (found,) = (await driven(Spec(0.0, [arriving]))).answers
    assert (found.answered, found.failed) == (requests, 0)


async def test_who_is_not_there_is_told(unused_tcp_port: int) -> None:
    """A load that cannot begin is none."""
    with pytest.raises(OSError, match="Connect call failed"):
        await driven(Spec(0.1, [Arriving(asked(unused_tcp_port), 10, 1)]))
