from __future__ import annotations

import pytest

from app.bootstrap.derived import anomaly_rules
from app.domain.quota.anomaly import LEAST, AnomalyRules
from app.settings.anomalies import Anomalies
from tests.unit.settings.conftest import MINIMAL, Problems


def test_that_the_defaults_are_those_that_were_measured() -> None:
    """The domain's tests measure false alarms with its own."""
    rules = anomaly_rules(Anomalies())
    assert rules == AnomalyRules(least=dict(LEAST))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("score: 0", "anomalies.score: "),
        ("history_weeks: 4, least_history_weeks: 5", "must not be more than history_weeks"),
        ("least: {usd: 0}", "anomalies.least.usd: "),
        ("webhook: 'ftp://x'", "must begin with https://"),
        ("enabled: perhaps", "anomalies.enabled: "),
    ],
)
def test_that_mistakes_are_named(found: Problems, text: str, problem: str) -> None:
    """Where they are, and what is wrong."""
    (line,) = found(f"{MINIMAL}anomalies: {{{text}}}\n")
    assert problem in line
