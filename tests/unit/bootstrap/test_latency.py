"""What `spillgate latency` refuses before it asks anybody, and how the simulator is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.bootstrap.latency import latency
from app.cli.latency import Asked
from app.planner.latency.plan import Plan
from app.settings import ConfigProblems

CONFIG = """\
admin: {key: an-admin-key-of-tests}
deployments:
  ptu: {kind: ptu, ptus: 50, endpoint: "https://x.openai.azure.com", model: gpt-4o,
        auth: {entra: {}}}
  small: {kind: paygo, endpoint: "https://x.openai.azure.com", model: gpt-4o, auth: {entra: {}},
          context_window: 4000}
  texts: {kind: paygo, endpoint: "https://x.openai.azure.com", model: text-embedding-3-small,
          auth: {entra: {}}}
models: {m: {tiers: [[ptu]]}}
tenants: {t: {}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "no deployment 'nobody' in the config; there are: ptu, small, texts"),
        ("texts", "deployment 'texts': text-embedding-3-small embeds, it writes no tokens"),
        ("small", "deployment 'small': its context window of 4000 tokens is less than"),
    ],
)
def test_what_cannot_be_compared_is_refused(config: Path, name: str, said: str) -> None:
    """Before a cost is told for it."""
    plan = Plan(("ptu", name), prompt_tokens=3900, output_tokens=101)
    with pytest.raises(ValueError, match=said):
        latency(Asked(config, plan))


def test_mistakes_of_the_config_are_the_configs(config: Path) -> None:
    """As `check` finds them."""
    config.write_text(CONFIG.replace("[[ptu]]", "[[nobody]]"))
    with pytest.raises(ConfigProblems):
        latency(Asked(config, Plan(("ptu", "small"))))


def test_what_is_simulated_costs_nothing(config: Path) -> None:
    """What is not has a cost for each deployment."""
    plan = Plan(("small", "ptu"), prompt_tokens=100)
    assert latency(Asked(config, plan, simulate=True)).costs == ()
    costs = latency(Asked(config, plan)).costs
    assert [(cost.deployment, cost.reserved) for cost in costs] == [("small", False), ("ptu", True)]
    assert all(cost.nano_usd > 0 for cost in costs)
