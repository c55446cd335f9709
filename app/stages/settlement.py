"""Every request ends in exactly one receipt, and its reservation is charged or given back.

A response in the background is charged before it is known what it uses, and corrected when its
caller is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Final

import msgspec

from app.domain.call.request import Accounting
from app.domain.ledger.background_charge import BACKGROUND, BackgroundCharge
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.price import UNPRICED, PriceTable
from app.domain.quota.reservation import Amounts, Charge, Reservation
from app.domain.quota.usage import BYTES_PER_TOKEN, Usage
from app.domain.routing.attempt import FIRST_REFUSAL
from app.observation import Observation
from app.ports import Accounts, BackgroundCharges, Reply, TokenEstimator

_GUESSED: Final[tuple[str, ...]] = ("estimated",)
_GOING_ON: Final[tuple[str, ...]] = (*_GUESSED, BACKGROUND)
_NO_FLAGS: Final[tuple[str, ...]] = ()
NOTHING: Final = Usage()
_FINISHED: Final = Outcome.FINISHED
_SETTLED: Final = RowKind.SETTLED
_NO_AMOUNTS: Final = Amounts()
#: An HTTPStatus is looked up by a function each time.
_FAILED: Final = int(HTTPStatus.INTERNAL_SERVER_ERROR)


class _Settled(msgspec.Struct):
    """The scope in which a request runs."""

    settlement: Settlement
    observation: Observation
    reply: Reply

    async def __aenter__(self) -> None:
        pass

    def __aexit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> Coroutine[object, object, None]:
        return self.settlement.conclude(self.observation, self.reply, error)


class Settlement:
    """Ends what requests began."""

    def __init__(
        self,
        accounts: Accounts,
        estimator: TokenEstimator,
        prices: PriceTable,
        background: BackgroundCharges,
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
        self._background = background
        self._limit_s = limit_s
        self._redacted = redacted

    def settled(self, observation: Observation, reply: Reply) -> _Settled:
        """Conclude and settle on the way out, a cancellation included: `async with` it."""
        return _Settled(self, observation, reply)

    async def conclude(
        self, observation: Observation, reply: Reply, error: BaseException | None
    ) -> None:
        """Conclude a request that `error` ended, if any, and settle by that."""
        observation.conclude(reply.status, error)
        observation.redact_codes(self._redacted)
        told = observation.meter.usage
        if told is None and _is_accepted(observation):
            relayed, model = observation.meter.relayed, observation.base_model
            counting = self._estimator.relayed(relayed, model)
            await _shielded(self._settle_counted(observation, counting), self._limit_s)
        elif observation.reservation is not None:
            self._settle(observation, told or NOTHING)
        else:
            self._settle(observation, NOTHING)
            if told is not None:
                self._correct(observation, told)

    async def _settle_counted(self, observation: Observation, counting: Awaitable[int]) -> None:
        """The upstream did not say what it generated: count what was relayed."""
        try:
            output = await counting
        except (asyncio.CancelledError, Exception):  # noqa: BLE001  # charged in any case
            # No time left, or not to be counted: too many rather than none.
            output = observation.meter.bytes // BYTES_PER_TOKEN
        prompt = observation.demand.prompt if observation.demand else 0
        going_on, flags = _reserved_for_going_on(observation), _GUESSED
        if going_on is not None:
            flags = _GOING_ON
            output = max(output, going_on.ask.amounts.tokens - prompt)
        row = self._settle(observation, Usage(input=prompt, output=output), flags)
        if going_on is not None and row is not None and observation.response_id is not None:
            cap = observation.request.output_cap if observation.request else None
            charge = BackgroundCharge.of(row, going_on, cap)
            self._background.keep(row.tenant, observation.response_id, charge)

    def _settle(
        self, observation: Observation, usage: Usage, flags: tuple[str, ...] = _NO_FLAGS
    ) -> LedgerRow | None:
        """Price it, learn from it, and have it charged; nothing here waits.

        `usage` is as the upstream told it, or estimated and so flagged. Returns the row, None where
        there is none.
        """
        reservation, served, nano_usd = observation.reservation, observation.served, 0
        if reservation is not None:
            is_exact = not flags
            if reservation.over or reservation.degraded:
                flags += reservation.flags
            if served is not None:
                price = self._prices.price(served.deployment, observation.started_at)
                nano_usd = price.charge(usage)
                if not price.known:
                    flags = (*flags, UNPRICED)
                if is_exact and usage.output and observation.outcome is _FINISHED:
                    self._learn(observation, usage)
        receipt = observation.charged(usage, nano_usd, flags)
        if receipt.tenant is None:
            return None  # a stranger has no account
        row = row_of(receipt, observation)
        if reservation is None:
            self._accounts.record(receipt.tenant, encode(row))
        else:
            self._accounts.settle(reservation, Charge(row.charged, encode(row), row.spilled))
        return row

    def _correct(self, look: Observation, usage: Usage) -> None:
        """Whoever looks at a stored response is told what it used; the first time is news."""
        route, receipt = look.route, look.receipt
        if route is None or route.response_id is None or receipt.tenant is None:
            return
        told_at = receipt.started_at + receipt.duration

        def correct(charge: BackgroundCharge) -> None:
            estimate = charge.row
            price = self._prices.price(estimate.deployment or "", estimate.started_at)
            flags = _NO_FLAGS if price.known else (UNPRICED,)
            row = charge.correction(usage, price.charge(usage), told_at, flags)
            corrected = Charge(row.charged, encode(row), row.spilled)
            self._accounts.settle(charge.reservation(row), corrected)
            self._observe(estimate.tenant, estimate.model, usage.output, charge.output_cap)

        self._background.take(receipt.tenant, route.response_id, correct)

    def _learn(self, observation: Observation, usage: Usage) -> None:
        principal, request = observation.principal, observation.request
        if principal is not None and request is not None:
            each = usage.output // (request.choices * request.prompts)
            self._observe(principal.tenant.name, request.model, each, request.output_cap)

    def _observe(self, tenant: str, model: str | None, tokens: int, cap: int | None) -> None:
        """How long answers are, from those that ended by themselves and not by their cap."""
        if model is not None and (cap is None or tokens < cap):
            self._estimator.observe(tenant, model, tokens)


def _reserved_for_going_on(observation: Observation) -> Reservation | None:
    """What a response in the background reserved: it is generated to its end, whoever leaves."""
    request = observation.request
    return observation.reservation if request is not None and request.background else None


def _is_accepted(observation: Observation) -> bool:
    """Whether an answer was accepted, which costs something."""
    served = observation.served
    if served is None or observation.reservation is None:
        return False
    return served.status is not None and served.status < FIRST_REFUSAL


def row_of(receipt: Receipt, observation: Observation) -> LedgerRow:
    """The receipt as its line in the tenant's ledger."""
    usage, reservation, cache = receipt.usage or NOTHING, receipt.reservation, receipt.cache
    if reservation is None:
        row_id, amounts, day, hour = receipt.request_id, _NO_AMOUNTS, "", None
    else:
        ask, day, hour = reservation.ask, reservation.day.name, reservation.hour
        row_id, amounts = ask.id, ask.amounts
    return LedgerRow(  # in the order of its fields: by their names it takes thrice as long
        row_id,
        _kind(observation, reservation),
        receipt.started_at + receipt.duration,
        receipt.tenant or "",
        receipt.request_id,
        receipt.key_id,
        receipt.model,
        receipt.deployment,
        receipt.deployment_kind,
        receipt.operation,
        receipt.stream,
        receipt.status,
        receipt.outcome,
        receipt.error,
        receipt.spill,
        usage.input,
        usage.cached,
        usage.output,
        usage.reasoning,
        receipt.nano_usd,
        amounts.tokens,
        amounts.nano_usd,
        receipt.flags,
        observation.ledger_tags,
        receipt.started_at,
        receipt.duration,
        receipt.time_to_first_token,
        len(receipt.attempts),
        day,
        cache.result,
        cache.saved_nano_usd,
        hour.name if hour else "",
        receipt.errand or "",
    )


def _kind(observation: Observation, reservation: Reservation | None) -> RowKind:
    """A failure costs nothing, be it an upstream's own words that were passed on."""
    if reservation is not None:
        served = observation.served
        if served is not None and (served.status or 0) < _FAILED:
            return _SETTLED
        # A hit is a request for the quota, at no cost, read to its end or not.
        is_replayed = observation.cache.is_hit and observation.status is not None
        return _SETTLED if is_replayed else RowKind.RELEASED
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
