"""`check` where no gateway serves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from app.adapters.redis import directory_reading
from app.bootstrap import comparison
from app.bootstrap.comparison import compared
from app.settings import Settings, build


def _settings(url: str | None = None, **sections: Any) -> Settings:
    deployment = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    redis = {"redis": {"url": url}} if url else {}
    return build(
        {
            "deployments": {"a": deployment | {"auth": {"entra": {}}}},
            "models": {"gpt-4o": {"tiers": [["a"]]}, "embed": {"tiers": [["a"]]}},
        }
        | redis
        | sections
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


@pytest.mark.parametrize("embedder", [None, "embed"])
def test_that_a_semantic_cache_without_its_model_is_said(
    embedder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each place that enables it, unless a deployment embeds; enabled nowhere, nothing is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(comparison, "missing", lambda name: f"{name} is not here")
    on = {"semantic": {"enabled": True}}
    settings = _settings(
        cache=on | {"embedder": {"model": embedder}},
        tenants={"t": {"cache": on}, "u": {"cache": {"semantic": {"enabled": False}}}},
    )
    said = [
        f"warning: {place}.semantic: nothing will be found by meaning: use-multilingual-3 is"
        " not here"
        for place in ("cache", "tenants.t.cache")
    ]
    assert list(compared(settings))[:-1] == ([] if embedder else said)
    assert len(list(compared(_settings()))) == 1
