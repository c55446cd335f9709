from __future__ import annotations

from fractions import Fraction

from app.domain.quota.price import ALWAYS, Price, PricePeriod, PriceTable, Rates
from app.domain.routing.deployment import Api, Deployment, Kind
from app.planner.latency.cost import Cost, costs, to_pay
from app.planner.latency.plan import Plan


def price(read: int, made: int, *, known: bool = True) -> Price:
    return Price.of(Rates(Fraction(read), Fraction(0), Fraction(made)), known=known)


FLEET = {
    name: Deployment(name, kind, "https://x", Api.V1, name, "gpt-4o")
    for name, kind in (("ptu", Kind.PTU), ("paygo", Kind.PAYGO), ("odd", Kind.PAYGO))
}
TABLE = PriceTable(
    {
        "ptu": (PricePeriod(ALWAYS, price(4, 16)),),
        "paygo": (PricePeriod(ALWAYS, price(2, 10)),),
    },
    price(30, 60, known=False),
)
PLAN = Plan(("ptu", "paygo", "odd"), requests=9, warm_up=1, prompt_tokens=1000, output_tokens=100)


def test_a_cost_is_of_all_requests_at_full_length() -> None:
    """10 times 1,000 tokens in and 100 out; an unknown price is the dearest, and says so."""
    assert costs(PLAN, FLEET, TABLE, at=0) == (
        Cost("ptu", 56_000_000, reserved=True, known=True),
        Cost("paygo", 30_000_000, reserved=False, known=True),
        Cost("odd", 360_000_000, reserved=False, known=False),
    )


def test_only_what_comes_on_the_bill_is_to_pay() -> None:
    """A PTU's hours are paid for whether or not it is asked."""
    assert to_pay(costs(PLAN, FLEET, TABLE, at=0)) == 390_000_000
