"""Where it is posted to when somebody should know."""

from __future__ import annotations

import pytest

from app.settings.anomalies import Anomalies
from tests.unit.settings.conftest import MINIMAL, Problems


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/services/T0/secret",
        "https://user:pass%2Fword@hooks.example",
        "http://127.0.0.1:9093/alerts",
        "http://localhost",
        "http://[::1]:8080/x",
    ],
)
def test_https_anywhere_and_http_on_this_machine(url: str) -> None:
    """It may hold a secret."""
    webhook = Anomalies(webhook=url).webhook
    assert webhook is not None
    assert webhook.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://x", "must begin with https://"),
        ("https://", "must begin with https://"),
        ("http://hooks.example", "must begin with https://"),
        ("http://127.0.0.1.example/x", "must begin with https://"),
        ("http://localhost:80@hooks.example", "must begin with https://"),
        ("https://user:geheim/wort@hooks.example", "is not a URL"),
        ("https://[hooks.example", "is not a URL"),
    ],
)
@pytest.mark.parametrize("section", ["budgets", "anomalies"])
def test_what_is_never_posted_to_is_named(
    found: Problems, section: str, url: str, problem: str
) -> None:
    """By its key, without a word of it: alerts would be lost, or cross a network in the clear."""
    (line,) = found(f"{MINIMAL}{section}: {{webhook: '{url}'}}\n")
    assert f"{section}.webhook: {problem}" in line
    assert "geheim" not in line
