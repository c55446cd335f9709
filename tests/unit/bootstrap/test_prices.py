"""From the catalogue and the configuration to what a request costs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.bootstrap.prices import exact, price_table
from app.domain.quota.price import Cost, PriceTable
from app.domain.quota.usage import Usage
from app.settings import ModelCatalog, TokenPrices, build, load_catalog
from tests.fakes.changed import replace

Own = dict[str, Any]

CATALOG = load_catalog()
USAGE = Usage(input=1000, cached=400, output=100)
DAY = 86_400.0


def noon(text: str) -> float:
    return datetime.fromisoformat(f"{text}T12:00").replace(tzinfo=UTC).timestamp()


NOW = noon("2026-11-21")


def prices(
    given: Own | None = None,
    catalog: ModelCatalog = CATALOG,
    **deployments: Own,
) -> PriceTable:
    """The prices of deployments of gpt-4o, PAYGO and Global where they do not say otherwise."""
    usual = {"kind": "paygo", "model": "gpt-4o", "endpoint": "https://x.openai.azure.com"}
    raw = {
        "deployments": {
            name: usual | {"auth": {"api_key": "x"}} | own for name, own in deployments.items()
        },
        "models": {name: {"tiers": [[name]]} for name in deployments},
        "prices": given or {},
    }
    return price_table(build(raw), catalog)


def cost(own: Own | None = None, given: Own | None = None) -> Cost:
    """What USAGE costs now on one such deployment."""
    return prices(given, d=own or {}).cost("d", USAGE, NOW)


PTU: Own = {"kind": "ptu", "ptus": 50}
NO_FLAGS: frozenset[str] = frozenset()
UNPRICED = frozenset({"unpriced"})


# By hand: 600 uncached, 400 cached and 100 output tokens, at dollars per million times 1000.
@pytest.mark.parametrize(
    ("own", "nano_usd"),
    [
        ({"model": "gpt-4o"}, 600 * 2500 + 400 * 1250 + 100 * 10_000),
        ({"model": "gpt-4o-mini"}, 600 * 150 + 400 * 75 + 100 * 600),
        ({"model": "gpt-4.1-nano"}, 600 * 100 + 400 * 25 + 100 * 400),
        ({"model": "GPT-5-2025-08-07"}, 600 * 1250 + 400 * 125 + 100 * 10_000),
        ({"model": "o1"}, 600 * 15_000 + 400 * 7500 + 100 * 60_000),
        ({"model": "text-embedding-3-small"}, 1000 * 22),
        ({"data_zone": "eu"}, 600 * 2750 + 400 * 1375 + 100 * 11_000),
        # 1 USD over 2,500 x 60 tokens; output weighs 4, cached nothing: 1,000 x 6,666.6...
        (PTU, 6_666_667),
        # In a data zone 1.1 USD: 1,000 x 7,333.3...
        (PTU | {"data_zone": "us"}, 7_333_334),
        # 1 USD over 3,000 x 60; output weighs 5, cached a tenth: 1,140 x 5,555.5...
        (PTU | {"model": "gpt-6-sol"}, 6_333_334),
    ],
    ids=str,
)
def test_ten_known_prices(own: Own, nano_usd: int) -> None:
    """To the nano-dollar, as worked out on paper."""
    assert cost(own) == Cost(nano_usd, NO_FLAGS)


def test_a_number_is_the_one_that_was_written() -> None:
    """A tenth is a tenth, and not the double next to it."""
    assert [exact(value) for value in (0.1, 22, 1e-05)] == [
        exact(1) / 10, exact(22.0), exact(1) / 100_000,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "own",
    [{"model": "llama-9"}, {"model": "llama-9", **PTU}, {"model": "text-embedding-3-small", **PTU}],
    ids=["unknown", "unknown PTU", "PTU of unknown size"],
)
def test_what_is_unknown_costs_as_the_dearest_model(own: Own) -> None:
    """That is o1, cached input included, whatever the operator forgot to say."""
    assert cost(own) == Cost(1000 * 15_000 + 100 * 60_000, UNPRICED)
    assert cost(own | {"data_zone": "us"}) == cost(own)


def test_the_maximum_is_the_operators() -> None:
    """For unknown models, and for deployments that are no longer there."""
    table = prices(
        {"maximum": {"usd_per_million_input": 20, "usd_per_million_output": 80}},
        d={"model": "llama-9"},
        known={},
    )
    most = Cost(1000 * 20_000 + 100 * 80_000, UNPRICED)
    assert table.cost("d", USAGE, NOW) == table.cost("gone", USAGE, NOW) == most
    assert table.cost("known", USAGE, NOW) == cost()


def test_an_override_by_model_is_what_is_charged() -> None:
    """For all its PAYGO deployments, in a data zone too; what it leaves out stays."""
    given = {"models": {"GPT-4o": {"usd_per_million_input": 2, "usd_per_million_output": 8}}}
    table = prices(given, a={}, zone={"data_zone": "us"}, other={"model": "gpt-5"}, ptu=PTU)
    assert table.cost("a", USAGE, NOW).nano_usd == 600 * 2000 + 400 * 1250 + 100 * 8000
    assert table.cost("zone", USAGE, NOW).nano_usd == 600 * 2000 + 400 * 1375 + 100 * 8000
    assert table.cost("other", USAGE, NOW) == cost({"model": "gpt-5"})
    assert table.cost("ptu", USAGE, NOW) == cost(PTU)


def test_cached_input_stays_no_dearer_than_input() -> None:
    """Unless the operator says so."""
    cheap = {"usd_per_million_input": 1}
    assert cost(given={"models": {"gpt-4o": cheap}}).nano_usd == 1000 * 1000 + 100 * 10_000
    said = cheap | {"usd_per_million_cached_input": 3}
    assert cost(given={"models": {"gpt-4o": said}}).nano_usd == 600_000 + 400 * 3000 + 1_000_000


def test_the_override_of_a_version_beats_that_of_the_model() -> None:
    """And holds for no other version."""
    given = {
        "models": {
            "gpt-4o": {"usd_per_million_output": 1},
            "gpt-4o-2024-08-06": {"usd_per_million_output": 2},
        }
    }
    old, new = {"model": "gpt-4o-2024-08-06"}, {"model": "gpt-4o-2024-11-20"}
    table = prices(given, old=old, new=new)
    made = Usage(output=1)
    assert [table.cost(name, made, NOW).nano_usd for name in ("old", "new")] == [2000, 1000]


def test_a_deployments_override_beats_its_models() -> None:
    """An agreement for one resource."""
    given = {
        "models": {"gpt-4o": {"usd_per_million_input": 2, "usd_per_million_output": 8}},
        "deployments": {"d": {"usd_per_million_output": 7}},
    }
    assert cost(given=given).nano_usd == 600 * 2000 + 400 * 1250 + 100 * 7000


@pytest.mark.parametrize(
    ("given", "usd_per_hour"),
    [
        ({}, "1.1"),
        ({"usd_per_ptu_hour": 0.9}, "0.9"),
        ({"usd_per_ptu_hour": 0.9, "models": {"gpt-4o": {"usd_per_ptu_hour": 0.6}}}, "0.6"),
        (
            {
                "usd_per_ptu_hour": 0.9,
                "models": {"gpt-4o": {"usd_per_ptu_hour": 0.6}},
                "deployments": {"d": {"usd_per_ptu_hour": 0.3}},
            },
            "0.3",
        ),
    ],
    ids=["catalogue", "of all", "by model", "by deployment"],
)
def test_the_ptu_hour_nearest_to_the_deployment_counts(given: Own, usd_per_hour: str) -> None:
    """What 150,000 tokens cost is the price of the hour."""
    full = Usage(input=150_000)
    charged = prices(given, d=PTU | {"data_zone": "us"}).cost("d", full, NOW)
    assert charged == Cost(int(float(usd_per_hour) * 10**9), NO_FLAGS)


def test_token_prices_of_a_ptu_deployment_replace_its_hours() -> None:
    """A flat internal rate, also where the catalogue knows no size."""
    flat = {"usd_per_million_input": 1, "usd_per_million_output": 4}
    given = {"deployments": {"d": flat}}
    assert cost(PTU, given).nano_usd == 600 * 1000 + 100 * 4000
    assert cost(PTU | {"model": "llama-9"}, given) == Cost(1000 * 1000 + 100 * 4000, NO_FLAGS)


def test_an_unknown_model_is_priced_once_input_and_output_are() -> None:
    """Half a price leaves the rest at the maximum, and flagged."""
    whole = {"usd_per_million_input": 1, "usd_per_million_output": 2}
    own = {"model": "llama-9"}
    assert cost(own, {"models": {"llama-9": whole}}) == Cost(1_200_000, NO_FLAGS)
    half = cost(own, {"models": {"llama-9": {"usd_per_million_input": 1}}})
    assert half == Cost(1_000_000 + 100 * 60_000, UNPRICED)


def test_an_explicit_zero_is_zero() -> None:
    """A server of one's own costs nothing when its owner says so."""
    free = {"usd_per_million_input": 0, "usd_per_million_output": 0}
    own = {"model": "llama-9", "api": "openai", "endpoint": "https://llm.example/v1"}
    assert cost(own, {"deployments": {"d": free}}) == Cost(0, NO_FLAGS)


def test_a_server_that_is_not_azures_has_no_data_zone_price() -> None:
    """Where its data stays is a policy there, not a product."""
    own = {"api": "openai", "endpoint": "https://llm.example/v1", "data_zone": "eu"}
    assert cost(own) == cost()


def test_overrides_begin_on_their_day() -> None:
    """Midnight UTC; before it the catalogue's price, and each period knows nothing of the last."""
    given = {
        "deployments": {
            "d": [
                {"from": date(2027, 2, 1), "usd_per_million_input": 3},
                {"from": "2027-01-01", "usd_per_million_input": 2, "usd_per_million_output": 5},
            ]
        }
    }
    table = prices(given, d={})
    start, next_start = noon("2027-01-01") - DAY / 2, noon("2027-02-01") - DAY / 2

    def each(at: float) -> tuple[int, int]:
        return (
            table.cost("d", Usage(input=1), at).nano_usd,
            table.cost("d", Usage(output=1), at).nano_usd,
        )

    assert each(start - 0.001) == (2500, 10_000)
    assert each(start) == each(next_start - 0.001) == (2000, 5000)
    assert each(next_start) == (3000, 10_000)


def test_a_catalogues_price_changes_under_an_override() -> None:
    """Each part of a price follows its own dates."""
    later = TokenPrices(date(2027, 1, 1), 5.0, 2.0, 20.0)
    facts = replace(CATALOG.models["gpt-4o"], price_periods=(later,))
    catalog = replace(CATALOG, models={**CATALOG.models, "gpt-4o": facts})
    given = {"models": {"gpt-4o": {"from": "2026-12-01", "usd_per_million_input": 1}}}
    table = prices(given, catalog, d={"data_zone": "us"})
    days = ("2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01")
    both = Usage(input=1, output=1)
    assert [table.cost("d", both, noon(day)).nano_usd for day in days] == [
        2750 + 11_000, 1000 + 11_000, 1000 + 11_000, 1000 + 22_000,
    ]  # fmt: skip


def test_a_price_that_has_not_begun_is_not_used() -> None:
    """A model that is priced from a day on is unknown before."""
    facts = replace(CATALOG.models["gpt-4o"], prices_from=date(2026, 6, 1))
    catalog = replace(CATALOG, models={"gpt-4o": facts})
    table = prices(None, catalog, d={})
    flags = [table.cost("d", USAGE, noon(day)).flags for day in ("2026-05-31", "2026-06-01")]
    assert flags == [UNPRICED, NO_FLAGS]
