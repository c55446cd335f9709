"""Facts of base models."""

from __future__ import annotations

from datetime import date
from math import isclose

import pytest

from app.settings.model_catalog import PtuSteps, catalog_of, load_catalog

CATALOG = load_catalog()


def test_a_listed_model_has_its_own_facts() -> None:
    """The figures of the sizing page."""
    facts = CATALOG.facts("gpt-4o")
    assert facts.known
    assert (facts.input_tpm_per_ptu, facts.output_ratio, facts.cached_weight) == (2500, 4, 0)
    assert (facts.ptu_global, facts.ptu_regional) == (PtuSteps(15, 5), PtuSteps(50, 50))
    assert (facts.context_window, facts.latency_target_tps) == (128_000, 25)


@pytest.mark.parametrize("name", ["GPT-4o", "gpt-4o-2024-08-06"])
def test_case_and_version_do_not_matter(name: str) -> None:
    """People write the version of a model too."""
    assert CATALOG.facts(name) == CATALOG.facts("gpt-4o")


def test_an_unlisted_model_gets_defaults_that_say_so() -> None:
    """Guesses are never taken for facts, and never for free."""
    facts = CATALOG.facts("llama-9")
    assert (facts.model, facts.known) == ("llama-9", False)
    assert facts.input_tpm_per_ptu == 2500
    assert facts.usd_per_million_output > 0


def test_a_similar_name_is_not_the_same_model() -> None:
    """gpt-4o-audio is not gpt-4o."""
    assert not CATALOG.facts("gpt-4o-audio").known


def test_embeddings_are_priced_and_not_sold_as_ptu() -> None:
    """They have a price and a window only."""
    facts = CATALOG.facts("text-embedding-3-small")
    assert (facts.kind, facts.input_tpm_per_ptu, facts.usd_per_million_input) == (
        "embedding", None, 0.022,
    )  # fmt: skip


def test_only_gpt_6_weighs_cached_tokens() -> None:
    """All other models deduct them in full."""
    weighing = {name for name, facts in CATALOG.models.items() if facts.cached_weight}
    assert weighing == {"gpt-6-sol", "gpt-6-astra"}


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        *((model, True) for model in ("gpt-6-sol", "gpt-5-mini", "o3", "llama-9")),
        *((model, False) for model in ("gpt-4o", "gpt-4.1-nano", "text-embedding-3-small")),
    ],
)
def test_who_may_think_for_minutes(model: str, *, reasons: bool) -> None:
    """An unlisted model may, too: who waits too long loses less than who gives up."""
    assert CATALOG.facts(model).reasons is reasons


def test_every_row_is_plausible() -> None:
    """Cached input is never dearer than input, and a window holds the longest answer."""
    for facts in CATALOG.models.values():
        assert 0 < facts.usd_per_million_cached_input <= facts.usd_per_million_input
        assert facts.context_window >= (facts.max_output_tokens or 1)
        assert (facts.ptu_context_window or 0) < facts.context_window


def test_a_full_ptu_hour_is_worth_the_same_for_recent_models() -> None:
    """Sizing and prices come from different sources; their product agreeing checks both."""
    older = {"o1", "o3-mini", "gpt-4o", "gpt-4o-mini", "gpt-5.6-sol"}
    for facts in CATALOG.models.values():
        if facts.input_tpm_per_ptu and facts.model not in older:
            worth = facts.input_tpm_per_ptu * 60 * facts.usd_per_million_input / 1e6
            assert isclose(worth, 0.358, abs_tol=0.003), facts.model


def test_prices_of_other_times_are_in_order() -> None:
    """One without a beginning is first; the stated one stands among them by its own."""
    entry = {"input_tpm_per_ptu": 1, "context_window": 1}
    raw = {
        "models": {"m": entry | _flat(2) | {
            "prices_from": date(2026, 6, 1),
            "price_periods": [_flat(3) | {"from": date(2027, 1, 1)}, _flat(1)],
        }},
        "defaults": entry | _flat(9),
        "ptu_price": {
            "usd_per_hour": 1.0, "usd_per_month": 1.0, "usd_per_year": 1.0, "unverified": True,
        },
        "data_zone_price_factor": 1.1,
    }  # fmt: skip
    prices = catalog_of(raw).facts("m").prices
    assert [(each.since, each.input) for each in prices] == [
        (None, 1), (date(2026, 6, 1), 2), (date(2027, 1, 1), 3),
    ]  # fmt: skip


def _flat(usd: float) -> dict[str, object]:
    return {f"usd_per_million_{kind}": usd for kind in ("input", "cached_input", "output")}


def test_no_model_of_the_catalogue_has_two_prices_at_once() -> None:
    """Each period begins on a day of its own."""
    for facts in CATALOG.models.values():
        beginnings = [prices.since for prices in facts.prices]
        assert len(set(beginnings)) == len(beginnings)
