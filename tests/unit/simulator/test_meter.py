from __future__ import annotations

import pytest

from app.simulator.deployment import SimulatedDeployment
from app.simulator.meter import Admitted, Demand, PaygoMeter, PtuMeter, Throttled
from tests.fakes.changed import replace

# 60 PTUs of 1,000 input tokens per minute: 1,000 tokens a second, 60,000 deep.
PTU = SimulatedDeployment(
    name="ptu",
    kind="ptu",
    model="gpt-4o",
    deployment="gpt-4o",
    api="v1",
    api_key=None,
    ptus=60,
    tpm=None,
    rpm=None,
    input_tpm_per_ptu=1000,
    output_ratio=4,
)
PAYGO = replace(PTU, name="paygo", kind="paygo", ptus=None, tpm=1000, rpm=60)


def admitted(meter: PtuMeter | PaygoMeter, demand: Demand, now: float = 0.0) -> Admitted:
    verdict = meter.admit(demand, now)
    assert isinstance(verdict, Admitted)
    return verdict


def refused(meter: PtuMeter | PaygoMeter, demand: Demand, now: float = 0.0) -> Throttled:
    verdict = meter.admit(demand, now)
    assert isinstance(verdict, Throttled)
    return verdict


def test_a_ptu_charges_prompt_without_cache_and_weighted_output_cap() -> None:
    """(prompt - cached) + ratio x cap, for each generation."""
    meter = PtuMeter(PTU, 0.0)

    charged = admitted(meter, Demand(prompt=2000, cached=1024, cap=100, generations=2))

    assert charged.charge == 976 + 4 * 200
    assert meter.utilization(0.0) == pytest.approx(1776 / 60_000)


def test_cached_tokens_may_have_a_weight() -> None:
    """GPT-6 pays a tenth of a cached token."""
    meter = PtuMeter(replace(PTU, cached_weight=0.1), 0.0)
    assert admitted(meter, Demand(prompt=2000, cached=1000, cap=0)).charge == pytest.approx(1100)


def test_completion_corrects_to_what_was_generated() -> None:
    """An answer shorter than its cap gives room back at once."""
    meter = PtuMeter(PTU, 0.0)
    demand = admitted(meter, Demand(prompt=1000, cap=10_000))

    meter.settle(demand, 50, 0.0, ran=True)

    assert meter.utilization(0.0) == pytest.approx(1200 / 60_000)


def test_what_did_not_run_costs_nothing() -> None:
    """A request found too long after admission leaves no trace."""
    meter = PtuMeter(PTU, 0.0)
    meter.settle(admitted(meter, Demand(prompt=1000, cap=10)), 0, 0.0, ran=False)
    assert meter.utilization(0.0) == 0.0


def test_without_a_cap_the_estimate_is_learned() -> None:
    """Uncapped requests are charged for what such requests have generated so far."""
    meter = PtuMeter(PTU, 0.0)
    first = admitted(meter, Demand(prompt=0)).charge
    for _ in range(50):
        meter.settle(admitted(meter, Demand(prompt=0)), 10, 0.0, ran=True)

    assert first == 4 * 256
    assert admitted(meter, Demand(prompt=0)).charge < 4 * 15


def test_a_full_ptu_says_when_to_come_back() -> None:
    """The wait is until utilisation is 100 % again; the header says how full it is."""
    meter = PtuMeter(PTU, 0.0)
    admitted(meter, Demand(prompt=62_500, cap=0))

    throttled = refused(meter, Demand(prompt=1))

    assert throttled.wait == pytest.approx(2.5)
    assert throttled.limit == "capacity"
    assert meter.headers(0.0) == {"azure-openai-deployment-utilization": "104.2%"}
    admitted(meter, Demand(prompt=1), now=2.6)


def test_paygo_refuses_once_the_estimates_reach_the_limit() -> None:
    """A large request passes while the counter is below the limit; then all wait for the reset."""
    meter = PaygoMeter(PAYGO)
    admitted(meter, Demand(prompt=900, cap=50))
    admitted(meter, Demand(prompt=900, cap=50))

    throttled = refused(meter, Demand(prompt=1, cap=1), now=1.0)

    assert throttled.wait == pytest.approx(59.0)
    assert throttled.limit == "token"
    admitted(meter, Demand(prompt=1, cap=1), now=60.0)


def test_paygo_keeps_its_estimate() -> None:
    """The counter is not the bill: what was not generated is not given back."""
    meter = PaygoMeter(PAYGO)
    meter.settle(admitted(meter, Demand(prompt=10, cap=990)), 1, 0.0, ran=True)
    assert refused(meter, Demand(prompt=1)).limit == "token"


def test_paygo_estimates_sixteen_tokens_without_a_cap() -> None:
    """As Azure was seen to do."""
    assert admitted(PaygoMeter(PAYGO), Demand(prompt=10)).charge == 26


def test_paygo_refuses_bursts_of_calls() -> None:
    """60 calls a minute are 10 in 10 seconds, and refused calls count."""
    meter = PaygoMeter(replace(PAYGO, tpm=None))
    for _ in range(10):
        admitted(meter, Demand(prompt=1))

    throttled = refused(meter, Demand(prompt=1), now=4.0)
    assert throttled.wait == pytest.approx(6.0)
    assert throttled.limit == "call"


def test_paygo_says_its_limits() -> None:
    """Headers tell limit, what is left and the seconds to the reset, of calls and tokens."""
    meter = PaygoMeter(PAYGO)
    admitted(meter, Demand(prompt=90, cap=10))

    assert meter.headers(0.5) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "10",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "900",
        "x-ratelimit-reset-tokens": "60",
    }


def test_openai_spells_resets_as_durations() -> None:
    """Where Azure sends whole seconds, OpenAI sends a unit with them."""
    meter = PaygoMeter(replace(PAYGO, api="openai"))
    assert meter.headers(0.0)["x-ratelimit-reset-tokens"] == "60s"


def test_without_limits_everything_is_admitted() -> None:
    """A limit that is not configured neither refuses nor shows."""
    meter = PaygoMeter(replace(PAYGO, tpm=None, rpm=None))
    for _ in range(1000):
        admitted(meter, Demand(prompt=10**6))

    assert meter.headers(0.0) == {}
    assert meter.utilization(0.0) == 0.0


@pytest.mark.parametrize(("ptus", "per_ptu"), [(None, 2500.0), (0, 2500.0), (10, 0.0)])
def test_a_ptu_needs_capacity(ptus: int | None, per_ptu: float) -> None:
    """A provisioned deployment without throughput is a mistake, named."""
    with pytest.raises(ValueError, match="deployment 'ptu'"):
        replace(PTU, ptus=ptus, input_tpm_per_ptu=per_ptu)
