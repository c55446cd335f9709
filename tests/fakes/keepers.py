"""Processes that share a Redis and an archive: what they are started with, and their state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.adapters.clock import SystemClock
from app.adapters.redis.watched import Breakers
from app.bootstrap.metrics import dependency_of
from app.bootstrap.state import State, Watching, shared_state
from app.cli.key import new_key
from app.settings import Settings, build


def settings_of(url: str, directory: Path, *tenants: str) -> Settings:
    """Ledgers archived in the directory, and exported from there."""
    deployment: dict[str, Any] = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "tpm": 1000,
        "auth": {"api_key": "k"},
    }
    (directory / "exports").mkdir(parents=True, exist_ok=True)
    return build(
        {
            "redis": {"url": url, "operation_timeout_ms": 5000},
            "admin": {"key": "an-admin-key-of-tests"},
            "ledger": {"archive": str(directory / "archive")},
            "usage_export": {"files": {"directory": str(directory / "exports")}},
            "deployments": {"paygo": deployment},
            "models": {"gpt-4o": {"tiers": [["paygo"]]}},
            "tenants": {name: {"keys": [new_key("test")]} for name in tenants},
        }
    )


@asynccontextmanager
async def state_of(settings: Settings) -> AsyncIterator[State]:
    """What a process with these settings has open."""
    assert settings.redis is not None
    url = settings.redis.url.get_secret_value()
    watching = Watching(Breakers(dependency_of), lambda _: None, lambda *_: None)
    async with shared_state(url, SystemClock(), settings, watching) as state:
        yield state
