from __future__ import annotations

import pytest

from app.settings import build
from app.settings.usage_export import ExportOtlp
from tests.unit.settings.conftest import MINIMAL, Problems


def test_that_nothing_is_exported_by_default() -> None:
    """And that the least of it is enough."""
    assert ExportOtlp(endpoint="http://collector:4318/").url == "http://collector:4318/v1/logs"
    full = "https://logs.example/otlp/v1/logs"
    assert ExportOtlp(endpoint=full).url == full


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("files: {}", "usage_export.files.directory: "),
        ("files: {directory: /x, format: excel}", "usage_export.files.format: "),
        ("files: {directory: /x, every: week}", "usage_export.files.every: "),
        ("files: {directory: /x, after_s: -1}", "usage_export.files.after_s: "),
        ("otlp: {endpoint: collector}", "must be a URL such as http://collector:4318"),
        ("otlp: {endpoint: 'http://c:4318x'}", "usage_export.otlp.endpoint: is not a URL"),
        ("otlp: {endpoint: 'http://a:b@c'}", "credentials belong into headers"),
        ("otlp: {endpoint: 'http://c', headers: {A: b}}", "usage_export.otlp.headers"),
        ("kafka: {}", "usage_export.kafka: unknown key"),
    ],
)
def test_that_mistakes_are_named(found: Problems, text: str, problem: str) -> None:
    """Where they are, and what is wrong."""
    (line,) = found(f"{MINIMAL}usage_export: {{{text}}}\n")
    assert problem in line


def test_that_headers_are_secrets() -> None:
    """Whoever prints the settings sees none of them."""
    settings = build(
        {
            "deployments": {
                "east": {
                    "kind": "paygo",
                    "endpoint": "https://east.example",
                    "model": "gpt-4o",
                    "auth": {"entra": {}},
                }
            },
            "models": {"gpt-4o": {"tiers": [["east"]]}},
            "usage_export": {
                "otlp": {"endpoint": "http://c", "headers": {"authorization": "canary-1f"}}
            },
        }
    )
    assert settings.usage_export.otlp is not None
    assert "canary-1f" not in repr(settings)
