"""Reserve what a request may use, in every scope of its tenant at once, before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from app.domain.call.request import Accounting, InferenceRequest, Operation
from app.domain.capacity.demand import Demand
from app.domain.identity.tenant import Principal, Tenant
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.calendar import CalendarWindow, days_around, months_around
from app.domain.quota.limit import (
    NANO,
    SPILLED,
    Limit,
    Measure,
    limits_on,
    scopes_of,
    unchanged_until,
)
from app.domain.quota.price import PriceTable
from app.domain.quota.reservation import Amounts, Ask, Refusal, Reservation
from app.domain.routing.deployment import Deployment, Fleet, Tiers
from app.domain.routing.route import Choices
from app.errors import BudgetExhausted, QuotaExceeded
from app.observation import Observation
from app.ports import Accounts, Clock, TokenEstimator
from app.wire.rate_limits import rate_limit_headers

_NO_ACCOUNTING: Final = Accounting.NONE
_EMBEDDINGS: Final = Operation.EMBEDDINGS
_RELEASED: Final = RowKind.RELEASED
#: OpenAI and Azure refuse more, so more is never generated.
MOST_CHOICES: Final = 128
#: Of all prompts of a list, which may have 2,048; what accounts add up are doubles.
MOST_ANSWERS: Final = 2048
#: Keys and models whose terms are remembered; beyond so many all are forgotten.
_REMEMBERED: Final = 16_384
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
        self._terms: dict[tuple[str, str, str], _Terms] = {}

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
        if request.route.accounting is _NO_ACCOUNTING:
            return
        terms = self._terms_of(principal, request.model, choices, observation.started_at)
        observation.base_model = terms.model
        prompt = observation.prompt  # counted before, where a policy bounds it
        if prompt is None:
            prompt = self._estimator.short_prompt(request, terms.model)
        if prompt is None:
            prompt = await self._estimator.prompt(request, terms.model)
        tenant = terms.tenant.name
        most, expected = self._answer(tenant, request, terms.longest)
        observation.demand = Demand(prompt, expected)
        amounts = Amounts(1, prompt + most, terms.bound(prompt, most))
        ask = Ask(
            self._new_id(), tenant, terms.scopes, amounts, terms.limits, terms.days, terms.months
        )
        if measuring:
            ask = _measuring(ask, measuring, terms)
        granted = self._accounts.leased(ask)
        if granted is None:
            granted = await self._reserved(ask, principal, request, observation)
        observation.reservation = granted

    async def _reserved(
        self,
        ask: Ask,
        principal: Principal,
        request: InferenceRequest,
        observation: Observation,
    ) -> Reservation:
        drafted = replace(ask, draft=encode(_draft(ask, principal, request, observation)))
        granted = await self._accounts.reserve(drafted, principal.tenant)
        if isinstance(granted, Refusal):
            raise _refused(granted, ask)
        return granted

    def _answer(
        self, tenant: str, request: InferenceRequest, longest: int | None
    ) -> tuple[int, int]:
        """Tokens of all choices together: so many that few answers exceed them, and as usual.

        Azure, too, counts the cap at admission, else an answer as they usually are.
        """
        if request.route.operation is _EMBEDDINGS:
            return 0, 0
        most = expected = request.output_cap
        if not most or not expected:
            most = self._estimator.output(tenant, request.model)
            expected = self._estimator.typical_output(tenant, request.model)
        if longest and (most > longest or expected > longest):  # the context window's tokens
            most, expected = min(most, longest), min(expected, longest)
        if request.choices == request.prompts == 1:
            return most, expected
        answers = min(min(request.choices, MOST_CHOICES) * request.prompts, MOST_ANSWERS)
        return answers * most, answers * expected

    def _terms_of(
        self, principal: Principal, model: str, choices: Choices, started_at: float
    ) -> _Terms:
        """What holds for this key and model now; most requests meet what those before them met."""
        now, key = self._clock.unix(), (principal.tenant.name, principal.key_id, model)
        known = self._terms.get(key)
        if (
            known is not None
            and known.tenant is principal.tenant
            and known.since <= started_at <= now < known.until
            and known.tiers == choices.tiers
        ):
            return known
        if len(self._terms) >= _REMEMBERED:
            self._terms.clear()
        known = self._terms[key] = self._new_terms(principal, model, choices, (started_at, now))
        return known

    def _new_terms(
        self, principal: Principal, model: str, choices: Choices, when: tuple[float, float]
    ) -> _Terms:
        """`when` are the moments that its price and its limits are of."""
        tenant, (started_at, now) = principal.tenant, when
        deployments = [self._fleet.deployments[name] for name in choices.deployments]
        prices = self._prices.in_force([each.name for each in deployments], started_at)
        scopes = scopes_of(principal.key_id, model)
        limits = limits_on(tenant.limits, principal.key_id, model, now)
        spilling = tenant.routing.spill_limits if choices.may_leave_first else ()
        days = days_around(now, tenant.zone)
        today = days[1]
        return _Terms(
            tenant=tenant,
            tiers=choices.tiers,
            since=max(prices.since, today.starts / 1000),
            until=min(prices.until, today.ends / 1000, unchanged_until(tenant.limits, now)),
            model=deployments[0].model,
            longest=_longest_window(deployments),
            bound=prices.bound if len(prices.prices) > 1 else prices.prices[0].most,
            scopes=tuple(dict.fromkeys((*scopes, *(limit.scope for limit in spilling)))),
            limits=(*limits, *spilling),
            spilling=spilling,
            days=days,
            months=months_around(now, tenant.zone),
        )


class _Terms(msgspec.Struct, frozen=True):
    """What requests of a key for a model have in common, as long as nothing changes.

    `since` and `until` are Unix seconds: a price, a limit or a calendar day changes then.
    """

    tenant: Tenant
    tiers: Tiers
    since: float
    until: float
    model: str
    longest: int | None  # context window of any of its deployments
    bound: Callable[[int, int], int]  # the most that so many tokens, in and out, may cost
    scopes: tuple[str, ...]
    limits: tuple[Limit, ...]
    spilling: tuple[Limit, ...]  # of the limits, those of its spill budgets
    days: tuple[CalendarWindow, ...]
    months: tuple[CalendarWindow, ...]


def _measuring(ask: Ask, limits: tuple[Limit, ...], terms: _Terms) -> Ask:
    """The ask of what measures the cache, within further limits; spill budgets come last."""
    budgets = [limit for limit in ask.limits if limit not in terms.spilling]
    scopes = [scope for scope in ask.scopes if scope != SPILLED]
    plain = replace(ask, scopes=tuple(scopes), limits=tuple(budgets))
    return plain.measuring(limits).within(terms.spilling)


def _longest_window(deployments: Iterable[Deployment]) -> int | None:
    windows = (deployment.context_window for deployment in deployments)
    return max((window for window in windows if window), default=None)


def _draft(
    ask: Ask, principal: Principal, request: InferenceRequest, observation: Observation
) -> LedgerRow:
    """The ledger row that is written should nobody ever settle."""
    return LedgerRow(
        id=ask.id,
        kind=_RELEASED,
        at=observation.started_at,
        tenant=principal.tenant.name,
        request_id=observation.request_id,
        key_id=principal.key_id,
        model=request.model,
        operation=request.route.operation,
        stream=request.stream,
        reserved_tokens=ask.amounts.tokens,
        reserved_nano_usd=ask.amounts.nano_usd,
        tags=observation.ledger_tags,
        started_at=observation.started_at,
        errand=observation.errand or "",
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
