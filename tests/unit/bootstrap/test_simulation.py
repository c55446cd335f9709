"""What the config says of a simulated deployment reaches the simulator."""

from __future__ import annotations

from app.bootstrap.simulation import simulated_deployments
from app.settings import build, load_catalog
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
