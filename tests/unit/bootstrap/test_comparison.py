"""`check` where no gateway serves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.adapters.redis import directory_reading
from app.bootstrap.comparison import compared
from app.settings import Settings, build


def _settings(url: str | None = None) -> Settings:
    deployment = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    redis = {"redis": {"url": url}} if url else {}
    return build(
        {
            "deployments": {"a": deployment | {"auth": {"entra": {}}}},
            "models": {"gpt-4o": {"tiers": [["a"]]}},
        }
        | redis
    )


def test_that_a_redis_that_is_not_there_is_said_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens: that is known before the bound for what does not answer."""
    monkeypatch.setattr(directory_reading, "READ_WITHIN_S", 60.0)
    began = time.monotonic()
    assert compared(_settings("redis://127.0.0.1:1/0")) == [
        "not compared with what is in force: Redis was not reachable"
    ]
    assert time.monotonic() - began < 30


def test_that_without_an_embedded_redis_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is started for it."""
    monkeypatch.chdir(tmp_path)
    assert compared(_settings()) == [
        "not compared with what is in force: no embedded Redis runs in this directory"
    ]
    assert list(tmp_path.iterdir()) == []
