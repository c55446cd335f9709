"""What a comparison will cost at most, told before it is begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.domain.quota.price import PriceTable
from app.domain.routing.deployment import Deployment, Kind
from app.planner.latency.plan import Plan


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that a deployment's requests cost, warm-up included, in nano-dollars."""

    deployment: str
    nano_usd: int
    reserved: bool
    """Paid for by the hour already: the tokens' share of that, and nothing more to pay."""
    known: bool
    """False: nobody told the price, and the dearest was assumed."""


def costs(
    plan: Plan, deployments: Mapping[str, Deployment], prices: PriceTable, at: float
) -> tuple[Cost, ...]:
    """By deployment, for answers as long as they may be, at the prices of a Unix time."""
    times = plan.requests + plan.warm_up
    return tuple(
        Cost(
            name,
            times * (price := prices.price(name, at)).most(plan.prompt_tokens, plan.output_tokens),
            reserved=deployments[name].kind is Kind.PTU,
            known=price.known,
        )
        for name in plan.deployments
    )


def to_pay(each: Iterable[Cost]) -> int:
    """Nano-dollars that come on the bill because of it."""
    return sum(cost.nano_usd for cost in each if not cost.reserved)
