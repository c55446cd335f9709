"""What the config says of a simulated deployment reaches the simulator."""

from __future__ import annotations

from typing import Any

import pytest

from app.bootstrap.simulation import NotSimulated, Simulated, simulated_deployments
from app.settings import Settings, build, load_catalog
from app.simulator.app import Simulator


def test_each_deployment_has_its_seed() -> None:
    """Its own where it names one, zero too, else that of all."""
    usual = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    own = {name: usual | {"simulator": {"seed": seed}} for name, seed in (("a", 3), ("b", 0))}
    settings = build(
        {
            "deployments": {**own, "c": usual},
            "models": {"gpt-4o": {"tiers": [["a", "b", "c"]]}},
            "simulator": {"seed": 11},
        }
    )
    simulator = Simulator(simulated_deployments(settings, load_catalog()), seed=11)

    seeds = {name: site.author.seed for name, site in simulator.sites.items()}
    assert seeds == {"a": 3, "b": 0, "c": 11}


def test_the_most_that_a_model_writes_is_of_the_list_of_models() -> None:
    """Of one that is not listed nobody knows."""
    listed, unknown = (
        build(
            {
                "deployments": {
                    "a": {
                        "kind": "paygo",
                        "endpoint": "https://x.openai.azure.com",
                        "model": model,
                        "auth": {"api_key": "k"},
                    }
                },
                "models": {"m": {"tiers": [["a"]]}},
            }
        )
        for model in ("gpt-4o-2024-11-20", "gpt-99")
    )
    most = [simulated_deployments(each, load_catalog())[0] for each in (listed, unknown)]
    assert [each.max_output_tokens for each in most] == [16_384, None]


class _Gateway:
    """Remembers what it was told to put in force."""

    def __init__(self) -> None:
        self.reloaded: list[Settings] = []

    async def reload(self, settings: Settings) -> None:
        self.reloaded.append(settings)


def _settings(tpm: int = 1000, **sections: Any) -> Settings:
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "tpm": tpm,
        "auth": {"entra": {}},
    }
    models = {"gpt-4o": {"tiers": [["a"]]}}
    return build({"deployments": {"a": deployment}, "models": models} | sections)


async def test_that_what_is_reloaded_stays_simulated() -> None:
    """Nothing of it calls Azure, whatever its endpoint says."""
    gateway = _Gateway()
    simulated = Simulated(gateway, _settings(), "http://127.0.0.1:9")
    await simulated.reload(_settings(tenants={"team": {}}))
    (settings,) = gateway.reloaded
    assert settings.deployments["a"].endpoint == "http://127.0.0.1:9/a"
    assert settings.deployments["a"].auth.api_key is not None
    assert "team" in settings.tenants


@pytest.mark.parametrize("other", [_settings(2000), _settings(simulator={"ttft_ms": 1})])
async def test_that_other_simulated_deployments_are_refused(other: Settings) -> None:
    """A running simulator has no place for them."""
    gateway = _Gateway()
    with pytest.raises(NotSimulated, match="next start"):
        await Simulated(gateway, _settings(), "http://127.0.0.1:9").reload(other)
    assert gateway.reloaded == []
