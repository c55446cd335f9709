"""What begins at 0, so that its first event is in a rate."""

from __future__ import annotations

from typing import Any

from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.families import BY_NAME
from app.adapters.metrics.known import Known, series_of
from app.domain.identity.tenant import Tenant
from app.domain.ledger.completion import Outcome
from app.domain.quota.limit import LimitName, LimitRule, Mode
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Api, Deployment, Fleet, Kind, Target
from app.domain.routing.throttle import ThrottleClass
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import attempt, served
from tests.unit.adapters.metrics.test_receipts import Samples, samples_of


def fleet(*names: str) -> Fleet:
    """The first is a PTU; one model, which all of them serve in turn."""
    made = {
        name: Deployment(name, Kind.PAYGO if at else Kind.PTU, "https://x", Api.V1, name, "gpt-4o")
        for at, name in enumerate(names)
    }
    return Fleet(made, {"gpt-4o": tuple((Target(name),) for name in names)})


FLEET = fleet("ptu", "paygo")
LIMITS = (
    LimitRule(LimitName.RPM, 60),
    LimitRule(LimitName.TPM, 9000, Mode.SOFT),
)


def of(samples: Samples, name: str, **labels: str) -> dict[Any, float]:
    """The series of a name that have these labels, by the rest of theirs."""
    return {
        frozenset(theirs - labels.items()): value
        for (told, theirs), value in samples.items()
        if told == name and labels.items() <= set(theirs)
    }


async def begun(known: Known, most_tenants: int = 10) -> Samples:
    metrics = Metrics(most_tenants, FakeClock())
    metrics.known = lambda: known
    return await samples_of(metrics)


async def test_a_deployment_has_every_verdict_before_it_is_asked() -> None:
    """And the reasons that its kind can have, no others."""
    samples = await begun(Known(FLEET))
    verdicts = of(samples, "llm_attempts_total", deployment="ptu")
    assert set(verdicts) == {frozenset({("verdict", each.value)}) for each in Verdict}
    assert set(verdicts.values()) == {0.0}
    assert set(of(samples, "llm_throttles_total", deployment="ptu")) == {
        frozenset({("reason", "provisioned")})
    }
    paygo = of(samples, "llm_throttles_total", deployment="paygo")
    assert len(paygo) == len(ThrottleClass) - 1
    assert of(samples, "llm_retry_after_seconds_count") == {
        frozenset({("deployment", name)}): 0.0 for name in ("ptu", "paygo")
    }


async def test_a_model_has_the_errors_that_somebody_is_woken_for() -> None:
    """Of capacity, upstreams and the gateway; what callers do wrong begins when they do."""
    samples = await begun(Known(FLEET))
    faults = {dict(told)["fault"] for told in of(samples, "llm_errors_total", model="gpt-4o")}
    assert faults == {"capacity", "upstream", "gateway"}
    assert {dict(told)["fault"] for told in of(samples, "llm_errors_total", model="other")} == {
        "gateway"
    }
    reasons = {dict(told)["reason"] for told in of(samples, "llm_spill_total", model="gpt-4o")}
    assert reasons == {
        "throttled", "held", "predicted", "share", "size", "error", "unhealthy", "policy",
    }  # fmt: skip


async def test_errands_of_each_purpose_begin_with_each_outcome() -> None:
    """A hedge has one of its own."""
    samples = await begun(Known())
    assert len(of(samples, "spillgate_errands_total", purpose="sample")) == len(Outcome)
    assert of(samples, "spillgate_errands_total", purpose="hedge") == {
        frozenset({("outcome", "given_up")}): 0.0
    }
    assert len(of(samples, "spillgate_errand_cost_dollars_total")) == 4


async def test_a_tenant_begins_with_what_it_may_be_refused_for() -> None:
    """Its hard limits; the others refuse nothing."""
    samples = await begun(Known(FLEET, {"search": Tenant("search", limits=LIMITS)}))
    assert of(samples, "llm_quota_refusals_total", tenant="search") == {
        frozenset({("limit", "rpm")}): 0.0
    }
    assert len(of(samples, "llm_degraded_requests_total", tenant="search")) == 2
    assert len(of(samples, "llm_degraded_requests_total", tenant="other")) == 2


async def test_more_tenants_than_places_make_no_series_before_they_ask() -> None:
    """Who asks first has one, as ever."""
    metrics = Metrics(2, FakeClock())
    metrics.known = lambda: Known(FLEET, {name: Tenant(name) for name in ("a", "b", "c")})
    samples = await samples_of(metrics)
    assert {dict(told)["tenant"] for told in of(samples, "llm_degraded_requests_total")} == {
        "other"
    }
    for name in ("c", "b", "a"):
        metrics.receipts.observe(served(tenant=name))
    samples = await samples_of(metrics)
    tenants = {dict(told)["tenant"] for told in of(samples, "llm_degraded_requests_total")}
    assert tenants == {"c", "b", "other"}


async def test_what_is_counted_goes_on_from_0() -> None:
    """The first event is in the series that began, not in one beside it."""
    metrics = Metrics(10, FakeClock())
    metrics.known = lambda: Known(FLEET, {"search": Tenant("search")})
    before = await samples_of(metrics)
    refused = attempt("ptu", Verdict.THROTTLED, throttle=ThrottleClass.PROVISIONED, status=429)
    metrics.receipts.observe(served(attempts=(refused, attempt("paygo", tier=1))))
    after = await samples_of(metrics)
    name = "llm_throttles_total"
    assert of(before, name, deployment="ptu", reason="provisioned") == {frozenset(): 0.0}
    assert of(after, name, deployment="ptu", reason="provisioned") == {frozenset(): 1.0}


async def test_after_a_reload_new_deployments_begin_and_old_counters_stay() -> None:
    """A counter that vanishes takes what it had counted out of every rate."""
    metrics, now = Metrics(10, FakeClock()), [FLEET]
    metrics.known = lambda: Known(now[0])
    metrics.receipts.observe(served(attempts=(attempt("paygo"),)))
    await samples_of(metrics)
    now[0] = fleet("ptu", "third")
    samples = await samples_of(metrics)
    accepted = of(samples, "llm_attempts_total", verdict="accept")
    assert accepted == {
        frozenset({("deployment", name)}): count
        for name, count in {"ptu": 0.0, "paygo": 1.0, "third": 0.0}.items()
    }


def test_what_begins_is_bound_by_the_configuration() -> None:
    """Each series has its family's labels, once; so many for a deployment, a model, a tenant."""
    known = Known(fleet("a", "b", "c"), {"search": Tenant("search", limits=LIMITS)})
    series = list(series_of(known, ["search"]))
    assert len(series) == len(set(series))
    for family, labels in series:
        assert BY_NAME[family.name] is family
        assert len(labels) == len(family.labels)

    def count(known: Known, *tenants: str) -> int:
        return len(list(series_of(known, tenants)))

    names = ("a", "b", "c", "d")  # the first is a PTU, which has fewer reasons to refuse
    counts = [count(Known(fleet(*names[:many]))) for many in range(2, 5)]
    assert counts[2] - counts[1] == counts[1] - counts[0] < 20
    assert count(known, "search") - count(known) < 5
