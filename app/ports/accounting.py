"""What tenants use: accounts, estimates, and whoever is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from app.domain.call.request import InferenceRequest
from app.domain.call.trace import Caller, TraceContext
from app.domain.identity.tenant import Tenant
from app.domain.ledger.background_charge import BackgroundCharge
from app.domain.ledger.completion import Receipt
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import Limit
from app.domain.quota.reservation import Ask, Charge, Refusal, Reservation
from app.domain.tracing.said import Said


class Accounts(Protocol):
    """What every tenant has used and holds; shared by all replicas, exact."""

    def leased(self, ask: Ask) -> Reservation | None:
        """Grant the ask from what was taken ahead for such asks; None: it has to be reserved.

        It needs no draft.
        """
        ...

    async def reserve(self, ask: Ask, tenant: Tenant) -> Reservation | Refusal:
        """Take the ask in every scope in one step, or nothing.

        Raises QuotaUnavailable where the account is out of reach and the tenant's policy is to
        refuse then.
        """
        ...

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """Charge what was used instead of what was reserved, once; nobody waits for it."""
        ...

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[int, ...]:
        """How much of each limit is used or held. Raises StoreUnavailable."""
        ...

    def record(self, tenant: str, row: bytes) -> None:
        """Have a row in the ledger for what reserved nothing; nobody waits for it."""
        ...


class BackgroundCharges(Protocol):
    """What responses in the background were charged, by tenant and id, until their usage is told.

    Nobody waits for any of it. What is lost, or told by nobody, stays charged as it was.
    """

    def keep(self, tenant: str, response_id: str, charge: BackgroundCharge) -> None:
        """Have it kept for as long as the response is stored."""
        ...

    def take(
        self, tenant: str, response_id: str, taker: Callable[[BackgroundCharge], None]
    ) -> None:
        """Have it given to `taker`, where one is kept: once, whoever asks again."""
        ...


class Countable(Protocol):
    """Text that is put together and counted when somebody asks."""

    def tokens(self, count: Callable[[str], int]) -> int:
        """Its tokens, by `count`; takes time with its length."""
        ...


class TokenEstimator(Protocol):
    """Token counts where no upstream has told any."""

    def short_prompt(self, request: InferenceRequest, model: str) -> int | None:
        """As `prompt`, at once; None where it is so long that it has to be waited for."""
        ...

    async def prompt(self, request: InferenceRequest, model: str) -> int:
        """Tokens of the input as `model`, a base model, reads it; never much too few."""
        ...

    def output(self, tenant: str, model: str) -> int:
        """Tokens that 95 of 100 of this tenant's answers from `model` do not exceed."""
        ...

    def typical_output(self, tenant: str, model: str) -> int:
        """Tokens of this tenant's answers from `model` on average."""
        ...

    def observe(self, tenant: str, model: str, tokens: int) -> None:
        """Take note of the length of one answer that ended by itself."""
        ...

    async def relayed(self, text: Countable, model: str) -> int:
        """Tokens of what was relayed of an answer."""
        ...


class Observer(Protocol):
    """Whoever is told of every request, once, when it is over: logs, metrics."""

    def observe(self, *receipts: Receipt) -> None:
        """Take note of one, or of several in their order; must neither block nor raise."""
        ...


class Tracing(Protocol):
    """Which requests are traced."""

    @property
    def most_content(self) -> int:
        """Characters of a prompt, and of an answer, of tenants that asked for it; 0: of none."""
        ...

    def begin(self, caller: Caller | None, now: float, *, wanted: bool = False) -> TraceContext:
        """The context of a request that came at `now`, on the monotonic clock.

        `wanted`: it is made for one that is recorded.
        """
        ...

    def keeps(self, receipt: Receipt) -> bool:
        """Whether spans of it are to be recorded, now that it is over."""
        ...

    def record(self, receipt: Receipt, said: Said) -> None:
        """Have them recorded; must neither block nor raise."""
        ...
