"""Accounts in memory, and estimates that tests can set."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from app.adapters.accounts.local_accounts import LocalAccounts
from app.domain.call.request import InferenceRequest
from app.domain.identity.tenant import Tenant
from app.domain.ledger.ledger_row import LedgerRow, decode
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import Limit
from app.domain.quota.price import Price, PriceTable
from app.domain.quota.reservation import Ask, Charge, Refusal, Reservation
from app.errors import QuotaUnavailable
from app.ports import Countable
from tests.fakes.clock import FakeClock


class FakeAccounts:
    """One worker's accounts with the whole of every limit; `rows` is the ledger."""

    def __init__(self, clock: FakeClock) -> None:
        self._local = LocalAccounts(clock)
        self.asks: list[Ask] = []
        self.settled: list[tuple[Reservation, Charge]] = []
        self.rows: list[LedgerRow] = []
        self.unavailable = False

    def __repr__(self) -> str:
        return f"<FakeAccounts with {len(self.rows)} rows>"

    def leased(self, ask: Ask) -> Reservation | None:
        """Nothing is taken ahead."""
        del ask
        return None  # for the type checker

    async def reserve(self, ask: Ask, tenant: Tenant) -> Reservation | Refusal:
        """Grant what fits."""
        del tenant
        if self.unavailable:
            raise QuotaUnavailable("out of reach", retry_after_s=1.0)
        self.asks.append(ask)
        return self._local.reserve(ask, 1.0, "")

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """Charge, and keep the row."""
        self._local.settle(reservation, charge.actual, spilled=charge.spilled)
        self.settled.append((reservation, charge))
        self.rows.append(decode(charge.row))

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[int, ...]:
        """Of the first limit 1, of the second 2, and so on."""
        del tenant, days, months
        return tuple(range(1, len(limits) + 1))

    def record(self, tenant: str, row: bytes) -> None:
        """Keep the row."""
        del tenant
        self.rows.append(decode(row))

    @property
    def held(self) -> int:
        """Reservations that nobody has settled."""
        return self._local.granted


class FakeEstimator:
    """Every prompt has as many tokens as it is told, every relayed text too."""

    def __init__(self, prompt: int = 10, relayed: int = 5) -> None:
        self.prompt_tokens = prompt
        self.relayed_tokens = relayed
        self.expected = 100  # tokens of an answer that nobody capped
        self.observed: list[tuple[str, str, int]] = []
        self.begun = 0  # times it was asked to count what was relayed
        self.ready = asyncio.Event()
        self.ready.set()

    def short_prompt(self, request: InferenceRequest, model: str) -> int | None:
        """The set number."""
        del request, model
        return self.prompt_tokens

    async def prompt(self, request: InferenceRequest, model: str) -> int:
        """The set number."""
        del request, model
        return self.prompt_tokens

    def output(self, tenant: str, model: str) -> int:
        """The set number."""
        del tenant, model
        return self.expected

    def typical_output(self, tenant: str, model: str) -> int:
        """Half of what few answers exceed."""
        del tenant, model
        return self.expected // 2

    def observe(self, tenant: str, model: str, tokens: int) -> None:
        """Keep it."""
        self.observed.append((tenant, model, tokens))

    def relayed(self, text: Countable, model: str) -> Coroutine[Any, Any, int]:
        """The set number, once `ready`."""
        del text, model
        self.begun += 1  # when it is asked to, which is before it is awaited
        return self._relayed()

    async def _relayed(self) -> int:
        await asyncio.sleep(0)
        await self.ready.wait()
        return self.relayed_tokens


def next_id(beginning: str = "r") -> Callable[[], str]:
    """Ids of reservations: r1, r2 and so on."""
    numbers = itertools.count(1)
    return lambda: f"{beginning}{next(numbers)}"


#: A token costs two nano-dollars on the way in, one from the prompt cache, eight on the way out.
PRICES = PriceTable({}, maximum=Price(input=2, cached_input=1, output=8, known=True))
