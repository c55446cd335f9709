"""A directory's signing keys, at hand before they are needed.

A task fetches them at the start and once a day. A token that names an unknown key makes them be
fetched once more, at most once a minute. What was fetched once is used until it is replaced, so
that an identity provider that is down stops nobody whose key is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from app.adapters.identity.jwks import JwksUnavailable, SigningKeySet
from app.errors import StoreUnavailable
from app.ports import Clock

REFRESH_S: Final = 24 * 3600.0
FORCED_EVERY_S: Final = 60.0
_FIRST_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 60.0


class SigningKeys:
    """The keys of one endpoint; its context keeps them fresh."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[SigningKeySet]],
        clock: Clock,
        draw: Callable[[], float],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`fetch` raises JwksUnavailable and bounds its own time.

        `draw` gives uniform numbers in [0, 1), so that replicas do not fetch together.
        """
        self._fetch = fetch
        self._clock = clock
        self._draw = draw
        self._sleep = sleep
        self._keys: SigningKeySet = {}
        self._failures = 0
        self.failures_total = 0
        self._forced_at = float("-inf")
        self._flight: asyncio.Task[None]
        self._renewal: asyncio.Task[None]
        self.generation = 0
        """Grows when a fetch brought other keys than the last one."""

    async def __aenter__(self) -> Self:
        # Before the first request, so that it finds a fetch to wait for.
        self._flight = asyncio.create_task(self._replace())
        self._renewal = asyncio.create_task(self._renew())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = self._renewal, self._flight
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_well(self) -> bool:
        """Whether the last fetch brought keys."""
        return not self._failures

    async def find(self, key_id: str) -> RSAPublicKey | None:
        """The key, or None if the directory has none of that id.

        A known key is not waited for. Raises StoreUnavailable where the key is unknown and the
        endpoint did not answer when it was asked last.
        """
        if key_id not in self._keys and (not self._flight.done() or self._may_force()):
            await self._fetch_once()
        key = self._keys.get(key_id)
        if key is None and self._failures:
            message = "The Entra ID token cannot be checked: the signing keys are out of reach."
            raise StoreUnavailable(message)
        return key

    def _may_force(self) -> bool:
        """Whether an unknown key is worth a fetch; while there are none, the task retries."""
        if not self._keys or self._clock.now() - self._forced_at < FORCED_EVERY_S:
            return False
        self._forced_at = self._clock.now()
        return True

    async def _fetch_once(self) -> None:
        """Fetch, or wait for the fetch under way; one that is cancelled leaves it to others."""
        if self._flight.done():
            self._flight = asyncio.create_task(self._replace())
        await asyncio.shield(self._flight)

    async def _replace(self) -> None:
        try:
            fetched = await self._fetch()
        except JwksUnavailable as error:
            self._failed(error)
            return
        if self._failures:
            structlog.get_logger().info("signing keys fetched again", keys=len(fetched))
        self._failures = 0
        if fetched != self._keys:
            self._keys = fetched
            self.generation += 1

    def _failed(self, error: JwksUnavailable) -> None:
        self._failures += 1
        self.failures_total += 1
        if self._failures == 1:
            structlog.get_logger().warning(
                "signing keys not fetched", reason=str(error), known=len(self._keys)
            )

    async def _renew(self) -> None:
        await asyncio.shield(self._flight)
        while True:
            await self._sleep(self._pause_s())
            await self._fetch_once()

    def _pause_s(self) -> float:
        """Until the next fetch: about a day, or a growing wait after failures."""
        if self._failures:
            return min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** (self._failures - 1))
        return REFRESH_S * (0.9 + 0.1 * self._draw())
