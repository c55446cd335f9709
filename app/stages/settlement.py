"""Every request ends in exactly one receipt, and its reservation is charged or given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Final, NamedTuple

from app.domain.call.request import Accounting
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.price import PriceTable
from app.domain.quota.reservation import Charge, Reservation
from app.domain.quota.usage import Usage
from app.observation import Observation
from app.ports import Accounts, Reply, TokenEstimator

_ESTIMATED: Final = "estimated"
NOTHING: Final = Usage()
#: Text alone has about four; of a stream's bytes most are its frames, so this is an upper bound.
_BYTES_PER_TOKEN: Final = 4


class _Used(NamedTuple):
    """What a request used: as told by the upstream, or estimated and so flagged."""

    usage: Usage
    flags: tuple[str, ...] = ()


class _Settled:
    """The scope in which a request runs."""

    __slots__ = ("_observation", "_reply", "_settlement")

    def __init__(self, settlement: Settlement, observation: Observation, reply: Reply) -> None:
        self._settlement = settlement
        self._observation = observation
        self._reply = reply

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> None:
        await self._settlement.conclude(self._observation, self._reply, error)


class Settlement:
    """Ends what requests began."""

    def __init__(
        self,
        accounts: Accounts,
        estimator: TokenEstimator,
        prices: PriceTable,
        *,
        limit_s: float = 2.0,
        redacted: Callable[[str], str] = str,
    ) -> None:
        """To estimate what no upstream told may take `limit_s` seconds.

        `redacted` takes known secrets out of a text.
        """
        self._accounts = accounts
        self._estimator = estimator
        self._prices = prices
        self._limit_s = limit_s
        self._redacted = redacted

    def settled(self, observation: Observation, reply: Reply) -> _Settled:
        """Conclude and settle on the way out, a cancellation included: `async with` it."""
        return _Settled(self, observation, reply)

    async def conclude(
        self, observation: Observation, reply: Reply, error: BaseException | None
    ) -> None:
        """Make the receipt of a request that `error` ended, and settle by it."""
        observation.conclude(reply.status, error)
        observation.redact_codes(self._redacted)
        if _is_untold(observation):
            relayed, model = observation.meter.relayed, observation.base_model
            counting = self._estimator.relayed(relayed, model)
            await _shielded(self._settle_counted(observation, counting), self._limit_s)
        else:
            told = observation.receipt.usage if observation.reservation else None
            self._settle(observation, _Used(told or NOTHING))

    async def _settle_counted(self, observation: Observation, counting: Awaitable[int]) -> None:
        """The upstream did not say what it generated: count what was relayed."""
        try:
            output = await counting
        except (asyncio.CancelledError, Exception):  # noqa: BLE001  # charged in any case
            # No time left, or not to be counted: too many rather than none.
            output = observation.meter.bytes // _BYTES_PER_TOKEN
        prompt = observation.demand.prompt if observation.demand else 0
        usage = Usage(input=prompt, output=output)
        self._settle(observation, _Used(usage, (_ESTIMATED,)))

    def _settle(self, observation: Observation, used: _Used) -> None:
        """Price it, learn from it, and have it charged; nothing here waits."""
        receipt, reservation = observation.receipt, observation.reservation
        flags = used.flags + (reservation.flags if reservation else ())
        nano_usd = 0
        if observation.served is not None and reservation is not None:
            cost = self._prices.cost(observation.served.deployment, used.usage, receipt.started_at)
            nano_usd, flags = cost.nano_usd, (*flags, *sorted(cost.flags))
            self._learn(observation, used)
        receipt = observation.charged(used.usage, nano_usd, flags)
        if receipt.tenant is None:
            return  # a stranger has no account
        row = row_of(receipt, observation)
        if reservation is None:
            self._accounts.record(receipt.tenant, encode(row))
        else:
            self._accounts.settle(reservation, Charge(row.charged, encode(row), row.spilled))

    def _learn(self, observation: Observation, used: _Used) -> None:
        """How long answers are, from those that ended by themselves."""
        receipt, request = observation.receipt, observation.request
        exact = not used.flags and receipt.outcome is Outcome.FINISHED
        if exact and request is not None and receipt.tenant is not None and used.usage.output:
            each = used.usage.output // request.choices
            self._estimator.observe(receipt.tenant, request.model, each)


def _is_untold(observation: Observation) -> bool:
    """Whether an answer was accepted whose usage nobody told."""
    served, reservation = observation.served, observation.reservation
    if served is None or reservation is None or observation.receipt.usage is not None:
        return False
    return served.status is not None and served.status < HTTPStatus.MULTIPLE_CHOICES


def row_of(receipt: Receipt, observation: Observation) -> LedgerRow:
    """The receipt as its line in the tenant's ledger."""
    usage, reservation = receipt.usage or NOTHING, observation.reservation
    amounts = reservation.ask.amounts if reservation else None
    return LedgerRow(
        id=reservation.ask.id if reservation else receipt.request_id,
        kind=_kind(observation, reservation),
        at=receipt.started_at + receipt.duration,
        tenant=receipt.tenant or "",
        request_id=receipt.request_id,
        key_id=receipt.key_id,
        model=receipt.model,
        deployment=receipt.deployment,
        deployment_kind=receipt.deployment_kind,
        operation=receipt.operation,
        stream=receipt.stream,
        status=receipt.status,
        outcome=receipt.outcome,
        error=receipt.error,
        spill=receipt.spill,
        input=usage.input,
        cached_input=usage.cached,
        output=usage.output,
        reasoning=usage.reasoning,
        nano_usd=receipt.nano_usd,
        reserved_tokens=amounts.tokens if amounts else 0,
        reserved_nano_usd=amounts.nano_usd if amounts else 0,
        flags=receipt.flags,
        tags=observation.ledger_tags,
        started_at=receipt.started_at,
        duration=receipt.duration,
        time_to_first_token=receipt.time_to_first_token,
        attempts=len(receipt.attempts),
        day=reservation.day.name if reservation else "",
        cache=receipt.cache.result,
        saved_nano_usd=receipt.cache.saved_nano_usd,
        hour=reservation.hour.name if reservation and reservation.hour else "",
        errand=receipt.errand or "",
    )


def _kind(observation: Observation, reservation: Reservation | None) -> RowKind:
    """A failure costs nothing, be it an upstream's own words that were passed on."""
    if reservation is not None:
        served = observation.served
        if observation.cache.is_hit and observation.receipt.status is not None:
            return RowKind.SETTLED  # a request for the quota, at no cost, read to its end or not
        failed = served is None or (served.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
        return RowKind.RELEASED if failed else RowKind.SETTLED
    route = observation.route
    metered = route is None or route.accounting is not Accounting.NONE
    return RowKind.REFUSED if metered else RowKind.UNMETERED


async def _shielded(work: Coroutine[object, object, None], limit_s: float) -> None:
    """Run to the end, cut short at the limit, whoever cancels us meanwhile; then let them."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            done, _ = await asyncio.wait({task}, timeout=limit_s)
        except asyncio.CancelledError as error:
            cancelled = error
            continue
        if not done:
            task.cancel()
    if cancelled is not None:
        raise cancelled
