"""Prices of the operator's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.settings import ConfigProblems, build, load
from app.settings.pricing import overrides_of

Load = Callable[[str], Path]
Found = Callable[..., list[str]]

OWN = """\
prices:
  usd_per_ptu_hour: 0.36
  maximum: {usd_per_million_input: 20, usd_per_million_output: 80}
  models:
    gpt-4o: {from: 2026-12-01, usd_per_million_input: 2.4, usd_per_million_cached_input: 1.2}
    o1: {usd_per_ptu_hour: 0.5}
  deployments:
    east:
      - {from: 2027-07-01, usd_per_million_output: 7}
      - {usd_per_million_output: 8}
      - {from: 2027-01-01, usd_per_million_output: 9}
"""


def test_all_parts_are_read(write: Load, minimal: str) -> None:
    """One price or several, each with its first day."""
    prices = load(write(minimal + OWN), {}).prices
    assert prices.usd_per_ptu_hour == 0.36
    assert prices.maximum is not None
    assert prices.maximum.usd_per_million_output == 80
    (one,) = overrides_of(prices.models["gpt-4o"])
    assert (one.since, one.usd_per_million_input, one.usd_per_million_output) == (
        date(2026, 12, 1), 2.4, None,
    )  # fmt: skip
    assert [each.usd_per_million_output for each in overrides_of(prices.deployments["east"])] == [
        8, 9, 7,
    ]  # fmt: skip


def test_without_the_section_nothing_is_overridden(write: Load, minimal: str) -> None:
    """The catalogue alone."""
    prices = load(write(minimal), {}).prices
    assert (prices.models, prices.deployments, prices.maximum) == ({}, {}, None)
    assert overrides_of(None) == []


def test_the_environment_overrides_prices(write: Load, minimal: str) -> None:
    """Where the entry is there, as everywhere."""
    variables = {
        "SPILLGATE__PRICES__MODELS__GPT_4O__FROM": "2027-01-01",
        "SPILLGATE__PRICES__MAXIMUM__USD_PER_MILLION_INPUT": "30",
    }
    prices = load(write(minimal + OWN), variables).prices
    assert overrides_of(prices.models["gpt-4o"])[0].since == date(2027, 1, 1)
    assert prices.maximum is not None
    assert prices.maximum.usd_per_million_input == 30


@pytest.fixture
def unlisted(minimal: str) -> str:
    """A model that the catalogue does not have."""
    return minimal.replace("model: gpt-4o", "model: llama-9-2026-01-02")


@pytest.mark.parametrize("name", ["gpt-4o", "GPT-4o", "llama-9", "LLAMA-9-2026-01-02"])
def test_a_model_of_the_catalogue_or_of_a_deployment_is_known(
    name: str, found: Found, unlisted: str
) -> None:
    """Also one that is not served today, and one that only this configuration knows."""
    assert found(f"{unlisted}prices: {{models: {{{name}: {{usd_per_million_input: 1}}}}}}") == []


def test_a_version_that_no_deployment_has_is_unknown(found: Found, unlisted: str) -> None:
    """Its price would never hold; most likely the date is mistyped."""
    text = f"{unlisted}prices: {{models: {{llama-9-2026-01-20: {{usd_per_million_input: 1}}}}}}"
    assert found(text) == [
        (
            "9:19: prices.models.llama-9-2026-01-20: unknown model llama-9-2026-01-20; "
            "did you mean llama-9-2026-01-02?"
        )
    ]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "models: {gpt-4p: {usd_per_million_input: 1}}",
            ["9:19: prices.models.gpt-4p: unknown model gpt-4p; did you mean gpt-4o?"],
        ),
        (
            "deployments: {eest: {usd_per_million_input: 1}}",
            ["9:24: prices.deployments.eest: unknown deployment eest; did you mean east?"],
        ),
        (
            "models: {gpt-4o: {usd_per_million_input: 1}, GPT-4o: {usd_per_million_input: 1}}",
            ["9:55: prices.models.GPT-4o: is the same model as prices.models.gpt-4o"],
        ),
        (
            "deployments: {east: {usd_per_ptu_hour: 1}}",
            ["9:31: prices.deployments.east.usd_per_ptu_hour: does not belong to kind paygo"],
        ),
        (
            "deployments: {east: [{usd_per_ptu_hour: 1}, {from: 2026-12-01}]}",
            [
                "9:32: prices.deployments.east[0].usd_per_ptu_hour: does not belong to kind paygo",
                "9:54: prices.deployments.east[1]: has no price",
            ],
        ),
        ("models: {gpt-4o: {}}", ["9:27: prices.models.gpt-4o: has no price"]),
        (
            "models: {gpt-4o: [{usd_per_million_input: 1}, {usd_per_million_input: 2}]}",
            ["9:56: prices.models.gpt-4o[1]: begins on the same day as prices.models.gpt-4o[0]"],
        ),
        ("models: {gpt-4o: []}", ["9:27: prices.models.gpt-4o: must not be empty"]),
        (
            "models: {gpt-4o: 5}",
            [
                (
                    "9:27: prices.models.gpt-4o: "
                    "must be a mapping of prices, or a list of such mappings with from"
                )
            ],
        ),
        (
            "models: {gpt-4o: [5]}",
            ["9:28: prices.models.gpt-4o[0]: must be a mapping"],
        ),
        (
            "models: {gpt-4o: {from: 2026-13-01, usd_per_million_input: -1}}",
            [
                "9:34: prices.models.gpt-4o.from: must be a day such as 2026-12-01",
                "9:69: prices.models.gpt-4o.usd_per_million_input: must be at least 0",
            ],
        ),
        (
            "models: {gpt-4o: [{from: 20261201, usd_per_million_input: 2500000}]}",
            [
                "9:35: prices.models.gpt-4o[0].from: must be a day such as 2026-12-01",
                "9:68: prices.models.gpt-4o[0].usd_per_million_input: must be at most 1000000",
            ],
        ),
        (
            "models: {gpt-4o: {usd_per_million_inptu: 1, usd_per_ptu_hour: 1}}",
            [
                (
                    "9:28: prices.models.gpt-4o.usd_per_million_inptu: "
                    "unknown key; did you mean usd_per_million_input?"
                )
            ],
        ),
        (
            "models: {gpt-4o: {since: 2026-12-01, usd_per_ptu_hour: 1}}",
            ["9:28: prices.models.gpt-4o.since: unknown key"],
        ),
        (
            "maximum: {usd_per_million_input: 0}",
            [
                "9:10: prices.maximum.usd_per_million_output: is missing",
                "9:43: prices.maximum.usd_per_million_input: must be above 0",
            ],
        ),
        ("[1]", ["9:9: prices: must be a mapping"]),
    ],
    ids=range(16),
)
def test_each_mistake_is_named_at_its_place(
    text: str, problems: list[str], found: Found, minimal: str
) -> None:
    """Whom it names, which price, from when."""
    line = text if text.startswith("[") else f"{{{text}}}"
    assert found(f"{minimal}prices: {line}\n") == problems


@pytest.mark.parametrize(
    "day", [datetime(2026, 12, 1, tzinfo=UTC), "2026-12-01T00:00", 20261201, "20261201"], ids=str
)
def test_only_a_day_is_a_day(day: object) -> None:
    """No time, no number, no other spelling: they would be read in some zone or other."""
    raw = {
        "deployments": {
            "d": {
                "kind": "paygo",
                "model": "gpt-4o",
                "endpoint": "https://x.openai.azure.com",
                "auth": {"entra": {}},
            }
        },
        "models": {"m": {"tiers": [["d"]]}},
        "prices": {"models": {"gpt-4o": {"from": day, "usd_per_million_input": 1}}},
    }
    with pytest.raises(ConfigProblems, match="must be a day such as"):
        build(raw)


def test_any_yaml_is_survived(found: Found, minimal: str) -> None:
    """Rules pass over what has the wrong type; the model reports it."""
    for text in (
        "{models: 7}",
        "{models: [gpt-4o]}",
        "{deployments: {east: {from: [1]}}}",
        "{models: {gpt-4o: [[{}]]}}",
        "{models: {'': {usd_per_ptu_hour: 1}}}",
    ):
        assert found(f"{minimal}prices: {text}\n")
    assert found("deployments: 5\nprices: {deployments: {east: {usd_per_ptu_hour: 1}}}\n")
