"""One request of the gateway's own, top to bottom: `gateway.py` without a client.

    find who may serve → admit → route → upstream → gather → settle → observe

There is no key, no cache and nobody to stream to; all else is the same, above all that nothing is
asked of an upstream which the tenant's account, policy and data zones do not allow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import msgspec

from app.domain.call.errand import Answered, Errand
from app.domain.call.request import Route
from app.domain.quota.limit import measuring_limits
from app.errors import (
    ClientGone,
    QuotaUnavailable,
    RequestError,
    ShuttingDown,
    SpillgateError,
    UpstreamFailed,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from app.observation import Observation
from app.ports import Clock
from app.stages.admission import Admission
from app.stages.relay import Relay
from app.stages.routing import Routing
from app.stages.settlement import Settlement
from app.stages.telemetry import Telemetry
from app.stages.upstream import Upstreams

#: Longer answers are not read on. Bytes.
MOST_BYTES: Final = 4 * 1024 * 1024


class Errands(msgspec.Struct, frozen=True):
    """The stages that a request of the gateway's own has, of one configuration snapshot."""

    clock: Clock
    telemetry: Telemetry
    settlement: Settlement
    admission: Admission
    routing: Routing
    upstreams: Upstreams
    relay: Relay
    new_id: Callable[[], str]

    async def run(self, errand: Errand) -> Answered:
        """The whole answer. Raises SpillgateError; RequestError where it is the request's fault."""
        call, reply = _OwnCall(self.new_id(), errand.request.route), _Gathered()
        observation = Observation(call, self.clock, errand.purpose, errand.cause)
        # As in the gateway: whatever happens below is settled first and then seen.
        with self.telemetry.observed(observation):
            async with self.settlement.settled(observation, reply):
                with call.watched():
                    await self._within(errand, reply, observation)
        return _answered(reply, observation)

    async def _within(self, errand: Errand, reply: _Gathered, observation: Observation) -> None:
        try:
            async with asyncio.timeout(errand.limit_s):
                await self._run(errand, reply, observation)
        except TimeoutError:
            message = f"The gateway's own request took longer than {errand.limit_s:g} s."
            raise UpstreamTimeout(message) from None

    async def _run(self, errand: Errand, reply: _Gathered, observation: Observation) -> None:
        request, principal = errand.request, errand.principal
        observation.route, observation.request = request.route, request
        observation.principal, observation.tags = principal, errand.tags
        choices = self.routing.choices(principal, request, None)
        # The account keeps the cap, too: it is exact over all workers, as every other limit.
        cap = measuring_limits(errand.usd_per_day)
        observation.enter("admit")
        await self.admission.admit(principal, request, choices, observation, measuring=cap)
        _refuse_on_credit(observation, capped=bool(cap))
        observation.enter("route")
        plan = await self.routing.plan(principal, request, choices, observation)
        observation.enter("upstream")
        async with self.upstreams.answer(plan, request, errand.headers, observation) as answer:
            await self.relay.pass_on(answer, reply, observation)
            observation.answered()


def _refuse_on_credit(observation: Observation, *, capped: bool) -> None:
    """While the account is out of reach a tenant's own requests go on; what measures them waits."""
    reservation = observation.reservation
    if capped and reservation is not None and reservation.degraded:
        raise QuotaUnavailable("The account that pays for measuring is out of reach.")


def _answered(reply: _Gathered, observation: Observation) -> Answered:
    if reply.broken is not None:
        raise reply.broken
    status = reply.status or HTTPStatus.BAD_GATEWAY
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        kind = RequestError if is_refusal else UpstreamFailed
        raise kind(f"The gateway's own request was answered with status {int(status)}.")
    if observation.meter.error is not None:
        raise UpstreamFailed("The answer to the gateway's own request ended with an error.")
    return Answered(b"".join(reply.parts), reply.is_stream, observation.meter.usage)


class _OwnCall:
    """A call that nobody sent; whoever gives it up is gone as a client is."""

    def __init__(self, request_id: str, route: Route) -> None:
        self.request_id = request_id
        self.client: str | None = None
        self.route = route
        self.headers: Mapping[str, str] = {}
        self.interruption: ClientGone | ShuttingDown | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Know a cancellation for what it is."""
        try:
            yield
        except asyncio.CancelledError:
            self.interruption = ClientGone()
            raise

    async def body(self) -> bytes:
        """Nobody sends one: an errand's request is there from the beginning."""
        return b""


class _Gathered:
    """A reply that is kept whole."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.is_stream = False
        self.parts: list[bytes] = []
        self.broken: SpillgateError | None = None
        self._size = 0

    def put_first(self, status: int, headers: Mapping[str, str], data: bytes) -> bool:  # noqa: ARG002  # as below
        """Never, as with a part."""
        return False

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.is_stream = headers.get("content-type", "").startswith("text/event-stream")

    async def send(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MOST_BYTES:
            bound = f"{MOST_BYTES >> 20} MiB"
            raise UpstreamProtocolError(f"The gateway's own request was answered by over {bound}.")
        self.parts.append(data)

    def put(self, data: bytes) -> bool:  # noqa: ARG002  # the port's signature
        """Never: what is sent is counted, and nobody is in a hurry."""
        return False

    async def finish(self) -> None:
        """Nothing is left to be done."""

    async def break_off(self, error: SpillgateError) -> None:
        self.broken = error
