"""When a directory's keys are fetched, and what holds while they cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import structlog

from app.adapters.identity.jwks import JwksUnavailable, SigningKeySet
from app.adapters.identity.signing_keys import FORCED_EVERY_S, REFRESH_S, SigningKeys
from app.errors import StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.issuer import rsa_key


class Endpoint:
    """The endpoint, the clock, and the sleep between fetches."""

    def __init__(self) -> None:
        """It answers with one key."""
        self.clock = FakeClock()
        self.names = ["a"]
        self.up = True
        self.fetches = 0
        self.draws = 0.0
        self.answers = asyncio.Event()
        self.answers.set()
        self.pauses: list[float] = []
        self._waking = asyncio.Event()
        self.keys = SigningKeys(self.fetch, self.clock, lambda: self.draws, sleep=self.sleep)

    async def fetch(self) -> SigningKeySet:
        self.fetches += 1
        await self.answers.wait()
        if not self.up:
            raise JwksUnavailable("down")
        return {name: rsa_key(name).public_key() for name in self.names}

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._waking.clear()
        await self._waking.wait()

    async def renewal(self) -> None:
        """Let the pause pass, and wait for the next one."""
        before = len(self.pauses)
        self.clock.advance(self.pauses[-1])
        self._waking.set()
        await until(lambda: len(self.pauses) > before)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    async with made.keys:
        await until(lambda: bool(made.pauses))
        yield made


async def test_keys_are_there_before_the_first_request(endpoint: Endpoint) -> None:
    """A known key costs no fetch."""
    assert await endpoint.keys.find("a")
    assert endpoint.fetches == 1


async def test_a_crowd_at_the_start_waits_for_one_fetch() -> None:
    """A hundred requests before the first answer are one question."""
    endpoint = Endpoint()
    endpoint.answers.clear()
    async with endpoint.keys:
        crowd = [asyncio.create_task(endpoint.keys.find("a")) for _ in range(100)]
        await until(lambda: endpoint.fetches == 1)
        endpoint.answers.set()
        assert all(await asyncio.gather(*crowd))
    assert endpoint.fetches == 1


async def test_keys_are_fetched_daily_and_not_together(endpoint: Endpoint) -> None:
    """Within 24 hours, spread over the last tenth of them."""
    assert endpoint.pauses == [0.9 * REFRESH_S]
    endpoint.draws = 1.0
    endpoint.names = ["a", "b"]
    await endpoint.renewal()
    assert endpoint.pauses[-1] == REFRESH_S == 86_400
    assert await endpoint.keys.find("b")
    assert endpoint.fetches == 2


async def test_a_new_key_is_fetched_once_when_a_token_names_it(endpoint: Endpoint) -> None:
    """Fifty requests with a key of after the rotation: one fetch, and the old key still counts."""
    endpoint.names = ["a", "b"]
    found = await asyncio.gather(*(endpoint.keys.find("b") for _ in range(50)))
    assert all(found)
    assert await endpoint.keys.find("a")
    assert (endpoint.fetches, endpoint.keys.generation) == (2, 2)


async def test_made_up_keys_cause_a_fetch_a_minute(endpoint: Endpoint) -> None:
    """Whoever invents key ids cannot make the gateway flood the directory."""
    for number in range(500):
        assert await endpoint.keys.find(f"made-up-{number}") is None
    assert endpoint.fetches == 2
    endpoint.clock.advance(FORCED_EVERY_S)
    assert await endpoint.keys.find("made-up") is None
    assert endpoint.fetches == 3
    assert endpoint.keys.generation == 1, "the same keys again"


async def test_known_keys_hold_while_the_endpoint_is_down(endpoint: Endpoint) -> None:
    """For as long as it takes; a key that is unknown then is neither right nor wrong."""
    endpoint.up = False
    for _ in range(8):
        await endpoint.renewal()
    assert endpoint.pauses[1:] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert await endpoint.keys.find("a")
    with pytest.raises(StoreUnavailable):
        await endpoint.keys.find("b")
    endpoint.up, endpoint.names = True, ["b"]
    await endpoint.renewal()
    assert await endpoint.keys.find("b")
    assert await endpoint.keys.find("a") is None, "withdrawn"


async def test_each_outage_is_two_lines() -> None:
    """One when it begins, one when it ends; an outage of hours does not fill the log."""
    endpoint = Endpoint()
    endpoint.up = False
    with structlog.testing.capture_logs() as lines:
        async with endpoint.keys:
            await until(lambda: bool(endpoint.pauses))
            for _ in range(5):
                await endpoint.renewal()
            endpoint.up = True
            await endpoint.renewal()
    assert [line["event"] for line in lines] == [
        "signing keys not fetched",
        "signing keys fetched again",
    ]


async def test_without_any_keys_requests_do_not_ask() -> None:
    """While the first fetch keeps failing the task retries; requests are told at once."""
    endpoint = Endpoint()
    endpoint.up = False
    async with endpoint.keys:
        await until(lambda: bool(endpoint.pauses))
        for _ in range(50):
            with pytest.raises(StoreUnavailable):
                await endpoint.keys.find("a")
        assert endpoint.fetches == 1


async def test_a_request_that_leaves_does_not_end_the_fetch() -> None:
    """Others wait for the same one."""
    endpoint = Endpoint()
    endpoint.answers.clear()
    async with endpoint.keys:
        leaver, stayer = (asyncio.create_task(endpoint.keys.find("a")) for _ in range(2))
        await until(lambda: endpoint.fetches == 1)
        leaver.cancel()
        await asyncio.wait([leaver])
        endpoint.answers.set()
        assert await stayer
    assert leaver.cancelled()
    assert endpoint.fetches == 1


async def test_the_end_does_not_wait_for_an_answer() -> None:
    """A frozen directory does not hold up a process that stops."""
    endpoint = Endpoint()
    endpoint.answers.clear()
    async with asyncio.timeout(20):
        async with endpoint.keys:
            await until(lambda: endpoint.fetches == 1)
