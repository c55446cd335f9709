"""Reserve what a request may use, in every scope of its tenant at once, before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from app.domain.call.request import Accounting, InferenceRequest, Operation
from app.domain.capacity.demand import Demand
from app.domain.identity.tenant import Principal
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import NANO, Limit, Measure, limits_on, scopes_of
from app.domain.quota.price import PriceTable
from app.domain.quota.reservation import Amounts, Ask, Refusal
from app.domain.routing.deployment import Deployment, Fleet
from app.domain.routing.route import Choices
from app.errors import BudgetExhausted, QuotaExceeded
from app.observation import Observation
from app.ports import Accounts, Clock, TokenEstimator
from app.wire.rate_limits import rate_limit_headers

#: OpenAI and Azure refuse more, so more is never generated.
MOST_CHOICES: Final = 128
#: What a refusal calls a limit's measure.
_UNITS: Final = {Measure.REQUESTS: "requests", Measure.TOKENS: "tokens"}


class Admission:
    """Who is out of quota is refused here, before anything is asked of an upstream."""

    def __init__(
        self,
        accounts: Accounts,
        estimator: TokenEstimator,
        *,
        fleet: Fleet,
        prices: PriceTable,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        """`new_id` names reservations, each unlike any other.

        A request's own id may come from its caller, who would have the same reservation again.
        """
        self._accounts = accounts
        self._estimator = estimator
        self._fleet = fleet
        self._prices = prices
        self._clock = clock
        self._new_id = new_id

    async def admit(
        self,
        principal: Principal,
        request: InferenceRequest,
        choices: Choices,
        observation: Observation,
        *,
        measuring: tuple[Limit, ...] = (),
    ) -> None:
        """Put demand and reservation into `observation`; none where the route costs nothing.

        What measures the cache has to fit the limits of `measuring`, too, and counts in no rate.
        Raises QuotaExceeded or BudgetExhausted with the limit that refused, QuotaUnavailable.
        """
        if request.route.accounting is Accounting.NONE:
            return
        deployments = [self._fleet.deployments[name] for name in choices.deployments]
        observation.base_model = model = deployments[0].model
        prompt = await self._estimator.prompt(request, model)
        longest = _longest_window(deployments)
        observation.demand = Demand(prompt, self._expected(principal, request, longest))
        most = self._most(principal, request, longest)
        names = [deployment.name for deployment in deployments]
        nano_usd = self._prices.bound(names, prompt, most, observation.started_at)
        amounts = Amounts(requests=1, tokens=prompt + most, nano_usd=nano_usd)
        draft = _draft(principal, request, amounts, observation)
        ask = self._ask(principal, request, amounts, replace(draft, id=self._new_id()))
        ask = ask.measuring(measuring) if measuring else ask
        if choices.may_leave_first:
            ask = ask.within(principal.tenant.routing.spill_limits)
        granted = await self._accounts.reserve(ask, principal.tenant)
        if isinstance(granted, Refusal):
            raise _refused(granted, ask)
        observation.reservation = granted

    def _most(self, principal: Principal, request: InferenceRequest, longest: int | None) -> int:
        """Tokens of all choices together, which few answers exceed."""
        learned = self._estimator.output(principal.tenant.name, request.model)
        return _of_all_choices(request, request.output_cap or learned, longest)

    def _expected(
        self, principal: Principal, request: InferenceRequest, longest: int | None
    ) -> int:
        """The same as Azure counts it at admission: the cap, else an answer as they usually are."""
        learned = self._estimator.typical_output(principal.tenant.name, request.model)
        return _of_all_choices(request, request.output_cap or learned, longest)

    def _ask(
        self, principal: Principal, request: InferenceRequest, amounts: Amounts, draft: LedgerRow
    ) -> Ask:
        tenant, now = principal.tenant, self._clock.unix()
        return Ask(
            id=draft.id,
            tenant=tenant.name,
            scopes=scopes_of(principal.key_id, request.model),
            amounts=amounts,
            limits=limits_on(tenant.limits, principal.key_id, request.model, now),
            days=days_around(now, tenant.zone),
            months=months_around(now, tenant.zone),
            draft=encode(draft),
        )


def _longest_window(deployments: Iterable[Deployment]) -> int | None:
    windows = (deployment.context_window for deployment in deployments)
    return max((window for window in windows if window), default=None)


def _of_all_choices(request: InferenceRequest, each: int, longest: int | None) -> int:
    """No answer is longer than the context window; an embedding has none."""
    if request.operation is Operation.EMBEDDINGS:
        return 0
    return min(request.choices, MOST_CHOICES) * (min(each, longest) if longest else each)


def _draft(
    principal: Principal, request: InferenceRequest, amounts: Amounts, observation: Observation
) -> LedgerRow:
    """The ledger row that is written should nobody ever settle."""
    return LedgerRow(
        id="",
        kind=RowKind.RELEASED,
        at=observation.started_at,
        tenant=principal.tenant.name,
        request_id=observation.request_id,
        key_id=principal.key_id,
        model=request.model,
        operation=request.operation.value,
        stream=request.stream,
        reserved_tokens=amounts.tokens,
        reserved_nano_usd=amounts.nano_usd,
        tags=observation.ledger_tags,
        started_at=observation.started_at,
        errand=observation.errand.value if observation.errand else "",
    )


def _refused(refusal: Refusal, ask: Ask) -> QuotaExceeded:
    limit = refusal.limit
    amounts = (limit.amount, refusal.used, refusal.asked)
    allowed, used, asked = (_amount(amount, limit) for amount in amounts)
    message = (
        f"The limit {limit.name} of {_named(limit)} is reached: "
        f"limit {allowed}, used {used}, requested {asked}."
    )
    kind = BudgetExhausted if refusal.is_budget else QuotaExceeded
    headers = rate_limit_headers(_left_of(refusal, ask.limits))
    return kind(message, retry_after_s=refusal.wait_s, headers=headers, limit=limit.name)


def _left_of(refusal: Refusal, limits: Iterable[Limit]) -> list[tuple[Limit, int]]:
    """Of the limit that refused, what is left; the others were not told."""
    left = max(0, refusal.limit.amount - refusal.used)
    return [(limit, left) for limit in limits if limit == refusal.limit]


def _named(limit: Limit) -> str:
    """Whose limit it is; a key's id is not secret."""
    return "this tenant" if limit.scope == "tenant" else f"this tenant's {limit.scope}"


def _amount(amount: int, limit: Limit) -> str:
    if limit.measure is Measure.NANO_USD:
        return f"${amount / NANO:.6f}"
    unit = _UNITS[limit.measure]
    return f"{amount} {unit}"
