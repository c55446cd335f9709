"""Microsoft Entra ID tokens, ready before they are needed.

azure-identity renews a token on the request that finds it too old. Here a task renews it between
half and four fifths of its life, while requests go on with the old one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Protocol, Self

from app.errors import UpstreamMisconfigured
from app.ports import Clock

#: A token this close to its end is not shown any more: it may end on its way. Seconds.
LAST_USE_BEFORE_END_S: Final = 60.0
FETCH_TIMEOUT_S: Final = 15.0
_EARLIEST_RENEWAL, _LATEST_RENEWAL = 0.5, 0.8
#: azure-identity answers from its own cache until five minutes before a token's end; then asking
#: again too soon would only spin. Seconds.
_SHORTEST_PAUSE_S: Final = 10.0
#: A token that is rejected although it is new is not made good by another one: a lasting 401, as
#: for a role that was taken away, costs one fetch in this time. Seconds.
FORCED_AT_MOST_EVERY_S: Final = 60.0
_FIRST_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 30.0

#: azure-core's and azure-identity's errors by class name, so that neither is imported without need.
_MEANINGS: Final = {
    "CredentialUnavailableError": "no Entra ID credential is available on this machine",
    "ClientAuthenticationError": "Entra ID refused the gateway's credential",
    "ServiceRequestError": "Entra ID could not be reached",
    "ServiceResponseError": "Entra ID's answer broke off",
    "HttpResponseError": "Entra ID answered with an error",
    "TimeoutError": "Entra ID did not answer in time",
}


class AccessToken(Protocol):
    """A token and its end as Unix time; azure-core's AccessToken."""

    @property
    def token(self) -> str: ...
    @property
    def expires_on(self) -> int: ...


class TokenSource(Protocol):
    """The part of azure-core's AsyncTokenCredential that is used."""

    async def get_token(self, scope: str, /) -> AccessToken: ...
    async def close(self) -> None: ...


class EntraCredential:
    """The token of one identity for one scope; its context keeps it fresh."""

    def __init__(
        self,
        source: Callable[[], TokenSource],
        scope: str,
        clock: Clock,
        draw: Callable[[], float],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`draw` gives uniform numbers in [0, 1), so that replicas do not renew together.

        `source` makes the credential. A forced refresh makes a new one, because azure-identity
        caches tokens in the object and offers no way past that.
        """
        self._make = source
        self._scope = scope
        self._clock = clock
        self._draw = draw
        self._sleep = sleep
        self._source: TokenSource
        self._token = ""
        self._expires_on = 0.0
        self._failures = 0
        self.failures_total = 0
        self._flight: asyncio.Task[str | None] | None = None
        self._flight_is_forced = False
        self._next_forced = -math.inf
        self._tasks = asyncio.TaskGroup()
        self._renewal: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._source = self._make()
        await self._tasks.__aenter__()
        self._renewal = self._tasks.create_task(self._renew())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._renewal.cancel()
        if self._flight is not None:
            self._flight.cancel()
        try:
            # The group puts what it is told of into an ExceptionGroup. A failure of the block is
            # not its own and goes on by itself; a cancellation may be, so it must know.
            if kind is not None and issubclass(kind, asyncio.CancelledError):
                await self._tasks.__aexit__(kind, error, traceback)
            else:
                await self._tasks.__aexit__(None, None, None)
        finally:
            await self._source.close()

    @property
    def expires_on(self) -> float:
        """When the token ends, as Unix time; 0 before there is one."""
        return self._expires_on

    @property
    def is_well(self) -> bool:
        """Whether the last fetch brought a token."""
        return not self._failures

    async def header(self) -> tuple[str, str]:
        """The header with a token that is still good. Raises UpstreamMisconfigured."""
        if self._left_s() <= LAST_USE_BEFORE_END_S:
            problem = await self._fetch_once()
            if problem is not None:
                raise UpstreamMisconfigured(f"No token for the upstream: {problem}.")
        return "authorization", f"Bearer {self._token}"

    async def refresh(self, rejected: str) -> bool:
        """Replace a token that the upstream rejected; whether there is another one now.

        However many requests were rejected, the token is fetched once, and at most once in
        FORCED_AT_MOST_EVERY_S. A fetch under way is waited for and not joined: it may bring the
        rejected token again, from azure-identity's cache.
        """
        while self._shows(rejected) and self._flight is not None and not self._flight_is_forced:
            await asyncio.shield(self._flight)
        if self._shows(rejected) and (self._flight is not None or self._may_force()):
            await self._fetch_once(forced=True)
        return not self._shows(rejected)

    def _shows(self, value: str) -> bool:
        return value == f"Bearer {self._token}"

    def _may_force(self) -> bool:
        now = self._clock.now()
        if now < self._next_forced:
            return False
        self._next_forced = now + FORCED_AT_MOST_EVERY_S
        return True

    def _left_s(self) -> float:
        return self._expires_on - self._clock.unix()

    async def _fetch_once(self, *, forced: bool = False) -> str | None:
        """Fetch, or wait for the fetch under way; what went wrong, if anything did.

        A request that is cancelled leaves the fetch to the others.
        """
        if self._flight is None:
            self._flight_is_forced = forced
            self._flight = self._tasks.create_task(self._fetch(forced=forced))
            self._flight.add_done_callback(self._landed)
        return await asyncio.shield(self._flight)

    def _landed(self, _flight: object) -> None:
        self._flight = None

    async def _fetch(self, *, forced: bool) -> str | None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                if forced:
                    await self._start_over()
                fetched = await self._source.get_token(self._scope)
        except Exception as error:  # noqa: BLE001  # credentials raise what their back ends raise
            self._failures += 1
            self.failures_total += 1
            return _meaning(error)
        self._token, self._expires_on = fetched.token, float(fetched.expires_on)
        self._failures = 0
        return None

    async def _start_over(self) -> None:
        await self._source.close()
        self._source = self._make()

    async def _renew(self) -> None:
        while True:
            await self._fetch_once()
            await self._sleep(self._pause_s())

    def _pause_s(self) -> float:
        """Until the next renewal: a part of what is left, or a growing wait after failures."""
        if self._failures:
            return min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** (self._failures - 1))
        part = _EARLIEST_RENEWAL + (_LATEST_RENEWAL - _EARLIEST_RENEWAL) * self._draw()
        return max(_SHORTEST_PAUSE_S, part * self._left_s())


def azure_credential(*, client_id: str | None = None, tenant_id: str | None = None) -> TokenSource:
    """The identity to use: a managed one by its client id, else azure-identity's default chain."""
    from azure.identity.aio import (  # noqa: PLC0415  # 0.3 s of import, only where Entra is used
        DefaultAzureCredential,
        ManagedIdentityCredential,
    )

    if client_id and not tenant_id:
        return ManagedIdentityCredential(client_id=client_id)
    options = {"managed_identity_client_id": client_id, "workload_identity_client_id": client_id}
    if tenant_id:
        options |= {"workload_identity_tenant_id": tenant_id}
    return DefaultAzureCredential(**{k: v for k, v in options.items() if v})


def _meaning(error: BaseException) -> str:
    """What went wrong in our own words: foreign ones may hold parts of requests."""
    for kind in type(error).__mro__:
        if kind.__name__ in _MEANINGS:
            return _MEANINGS[kind.__name__]
    return f"Entra ID failed with {type(error).__name__}"
