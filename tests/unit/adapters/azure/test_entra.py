from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.identity import CredentialUnavailableError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from app.adapters.azure.entra import EntraCredential, azure_credential
from app.errors import UpstreamMisconfigured

SCOPE = "https://ai.azure.com/.default"
LIFE_S = 4000
SECRET = "eyJhbGciOi.secret"


@dataclass
class Token:
    token: str
    expires_on: int


class EntraId:
    """The identity provider, its clock, and the sleep between renewals."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self.draws = 0.0
        self.calls = 0
        self.made = 0
        self.closed = 0
        self.error: Exception | None = None
        self.cached: str | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.pauses: list[float] = []
        self._waking = asyncio.Event()

    def now(self) -> float:
        return self.time

    def unix(self) -> float:
        return self.time

    def draw(self) -> float:
        return self.draws

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._waking.clear()
        await self._waking.wait()

    def source(self) -> EntraId:
        self.made += 1
        self.cached = None
        return self

    async def get_token(self, scope: str, /) -> Token:
        assert scope == SCOPE
        self.calls += 1
        number = self.calls
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return Token(self.cached or f"token-{number}", int(self.time) + LIFE_S)

    async def close(self) -> None:
        self.closed += 1

    async def renewal(self) -> None:
        """Let the pause pass, and wait for the next one."""
        before = len(self.pauses)
        self.time += self.pauses[-1]
        self._waking.set()
        await until(lambda: len(self.pauses) > before)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def entra_id() -> EntraId:
    return EntraId()


def new_credential(entra_id: EntraId) -> EntraCredential:
    return EntraCredential(entra_id.source, SCOPE, entra_id, entra_id.draw, sleep=entra_id.sleep)


@pytest.fixture
async def credential(entra_id: EntraId) -> AsyncIterator[EntraCredential]:
    async with new_credential(entra_id) as opened:
        await until(lambda: bool(entra_id.pauses))
        yield opened


async def test_a_crowd_at_the_start_asks_once(entra_id: EntraId) -> None:
    """Requests that come before the first token wait for one and the same call."""
    entra_id.answers.clear()
    async with new_credential(entra_id) as credential:
        crowd = [asyncio.create_task(credential.header()) for _ in range(50)]
        await until(lambda: entra_id.calls == 1)
        entra_id.answers.set()
        headers = await asyncio.gather(*crowd)

    assert set(headers) == {("authorization", "Bearer token-1")}
    assert entra_id.calls == 1


async def test_a_token_is_used_while_it_is_good(
    credential: EntraCredential, entra_id: EntraId
) -> None:
    """No request asks for another."""
    for _ in range(10):
        assert await credential.header() == ("authorization", "Bearer token-1")
    assert entra_id.calls == 1


@pytest.mark.parametrize(("draw", "part"), [(0.0, 0.5), (0.5, 0.65), (1.0, 0.8)])
async def test_renewal_is_due_in_the_middle_of_its_life(
    entra_id: EntraId, draw: float, part: float
) -> None:
    """Between half and four fifths, by the draw."""
    entra_id.draws = draw
    async with new_credential(entra_id):
        await until(lambda: bool(entra_id.pauses))
    assert entra_id.pauses == [pytest.approx(part * LIFE_S)]


async def test_requests_do_not_wait_for_a_renewal(
    credential: EntraCredential, entra_id: EntraId
) -> None:
    """The old token is shown while the new one is fetched, and the new one from then on."""
    entra_id.answers.clear()
    renewal = asyncio.create_task(entra_id.renewal())
    await until(lambda: entra_id.calls == 2)
    assert await credential.header() == ("authorization", "Bearer token-1")

    entra_id.answers.set()
    await renewal
    assert await credential.header() == ("authorization", "Bearer token-2")


async def test_an_outage_is_bridged_to_the_last_minute(
    credential: EntraCredential, entra_id: EntraId
) -> None:
    """The old token is good until 60 s before its end; then the reason is told, and no secret."""
    end = entra_id.time + LIFE_S
    entra_id.error = ServiceRequestError(f"cannot reach https://login/?assertion={SECRET}")
    for _ in range(8):
        await entra_id.renewal()
    assert entra_id.pauses[1:] == [1, 2, 4, 8, 16, 30, 30, 30]

    entra_id.time = end - 61
    assert await credential.header() == ("authorization", "Bearer token-1")
    entra_id.time = end - 60
    with pytest.raises(UpstreamMisconfigured, match="could not be reached") as failure:
        await credential.header()
    assert SECRET not in repr(failure.value)
    assert failure.value.__cause__ is None

    entra_id.error = None
    assert (await credential.header())[1].startswith("Bearer token-")
    await entra_id.renewal()
    assert entra_id.pauses[-1] == pytest.approx(LIFE_S / 2)


async def test_an_unchanged_token_is_asked_for_again_later(entra_id: EntraId) -> None:
    """While the credential answers from its cache, half of what is left is waited each time."""
    given = Token("cached", int(entra_id.time) + LIFE_S)

    async def cached(_scope: str, /) -> Token:
        return given

    entra_id.get_token = cached  # type: ignore[method-assign]  # a double's own method
    async with new_credential(entra_id):
        await until(lambda: bool(entra_id.pauses))
        for _ in range(9):
            await entra_id.renewal()

    assert entra_id.pauses[:4] == [2000, 1000, 500, 250]
    assert entra_id.pauses[-1] == 10


async def test_many_rejections_are_one_refresh(
    credential: EntraCredential, entra_id: EntraId
) -> None:
    """However many requests met a 401, one call is made, past the credential's own cache."""
    rejected = (await credential.header())[1]

    assert all(await asyncio.gather(*(credential.refresh(rejected) for _ in range(50))))

    assert (entra_id.calls, entra_id.made, entra_id.closed) == (2, 2, 1)
    assert await credential.header() == ("authorization", "Bearer token-2")


async def test_lasting_rejections_are_one_refresh_a_minute(
    credential: EntraCredential, entra_id: EntraId
) -> None:
    """A role that was taken away rejects every token; no fresh one helps, nor is asked for."""
    first = (await credential.header())[1]
    assert await credential.refresh(first)

    rejected = (await credential.header())[1]
    entra_id.time += 59
    assert not any([await credential.refresh(rejected) for _ in range(50)])
    assert entra_id.made == 2

    entra_id.time += 1
    assert await credential.refresh(rejected)
    assert (entra_id.calls, entra_id.made) == (3, 3)


async def test_refreshes_that_fail_are_one_a_minute_too(
    credential: EntraCredential, entra_id: EntraId
) -> None:
    """What Entra ID refuses is not asked of it again by every request."""
    rejected = (await credential.header())[1]
    entra_id.error = ClientAuthenticationError("no")
    assert not any([await credential.refresh(rejected) for _ in range(50)])
    assert (entra_id.calls, entra_id.made) == (2, 2)


@pytest.mark.parametrize(("cached", "calls", "made"), [(True, 3, 2), (False, 2, 1)])
async def test_a_refresh_does_not_take_a_renewal_for_its_own(
    credential: EntraCredential, entra_id: EntraId, *, cached: bool, calls: int, made: int
) -> None:
    """A renewal under way may bring the rejected token again; if so a new one is asked for."""
    rejected = (await credential.header())[1]
    entra_id.answers.clear()
    renewal = asyncio.create_task(entra_id.renewal())
    await until(lambda: entra_id.calls == 2)
    crowd = [asyncio.create_task(credential.refresh(rejected)) for _ in range(5)]
    await asyncio.sleep(0)
    entra_id.cached = "token-1" if cached else None
    entra_id.answers.set()

    assert all(await asyncio.gather(*crowd))
    await renewal
    assert (entra_id.calls, entra_id.made) == (calls, made)


async def test_a_rejection_of_the_last_token_asks_for_nothing(
    credential: EntraCredential, entra_id: EntraId
) -> None:
    """A request that was sent before the renewal just takes the new token."""
    rejected = (await credential.header())[1]
    await entra_id.renewal()

    assert await credential.refresh(rejected)
    assert entra_id.calls == 2


async def test_a_refresh_that_fails_says_so(credential: EntraCredential, entra_id: EntraId) -> None:
    """There is nothing else to try then."""
    rejected = (await credential.header())[1]
    entra_id.error = ClientAuthenticationError("no")

    assert not await credential.refresh(rejected)


async def test_a_request_that_leaves_does_not_stop_the_others(entra_id: EntraId) -> None:
    """Whoever began to fetch may be cancelled; the fetch goes on."""
    entra_id.answers.clear()
    async with new_credential(entra_id) as credential:
        leaving = asyncio.create_task(credential.header())
        staying = asyncio.create_task(credential.header())
        await until(lambda: entra_id.calls == 1)
        leaving.cancel()
        await asyncio.wait({leaving})
        entra_id.answers.set()

        assert await staying == ("authorization", "Bearer token-1")
    assert leaving.cancelled()
    assert entra_id.calls == 1


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (CredentialUnavailableError(f"tried {SECRET}"), "no Entra ID credential is available"),
        (ClientAuthenticationError(f"bad {SECRET}"), "refused the gateway's credential"),
        (HttpResponseError(f"429 {SECRET}"), "answered with an error"),
        (TimeoutError(), "did not answer in time"),
        (ValueError(SECRET), "failed with ValueError"),
    ],
)
async def test_errors_are_told_in_our_words(
    entra_id: EntraId, error: Exception, meaning: str
) -> None:
    """Each kind by its meaning; what the library says may hold parts of requests."""
    entra_id.error = error
    async with new_credential(entra_id) as credential:
        with pytest.raises(UpstreamMisconfigured, match=meaning) as failure:
            await credential.header()
    assert SECRET not in failure.value.message


async def test_its_end_ends_everything(entra_id: EntraId) -> None:
    """Even in the middle of a fetch."""
    entra_id.answers.clear()
    async with new_credential(entra_id):
        await until(lambda: entra_id.calls == 1)
    assert entra_id.closed == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("error", [OSError("no address"), KeyError("key"), KeyboardInterrupt()])
async def test_a_failure_of_the_block_is_not_the_credentials(
    entra_id: EntraId, error: BaseException
) -> None:
    """It comes out as it was raised, so that whoever expects it recognises it."""
    with pytest.raises(type(error)) as raised:
        async with new_credential(entra_id):
            raise error

    assert raised.value is error
    assert entra_id.closed == 1


async def test_being_cancelled_stays_a_cancellation(entra_id: EntraId) -> None:
    """And ends the renewal with the block."""
    within = asyncio.Event()

    async def block() -> None:
        async with new_credential(entra_id):
            within.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await within.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert entra_id.closed == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_identity_is_chosen_by_what_is_configured() -> None:
    """A client id alone is a managed identity; else the default chain looks for one."""
    chosen = [
        azure_credential(client_id="id"),
        azure_credential(),
        azure_credential(tenant_id="tenant"),
        azure_credential(client_id="id", tenant_id="tenant"),
    ]
    kinds = [type(credential) for credential in chosen]
    for credential in chosen:
        await credential.close()

    assert kinds == [ManagedIdentityCredential] + 3 * [DefaultAzureCredential]
