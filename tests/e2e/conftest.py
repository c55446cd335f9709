"""End-to-end tests print what they measured, not a line per request, and begin with no tenants."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from redis import Redis

from app.adapters.logs import configure_logs


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Only for the test: others look at what is logged."""
    configure_logs("critical")
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _few_authorities(few_authorities: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stack has two clients that read them all; nothing here is signed by any."""
    if few_authorities is not None and "SSL_CERT_FILE" not in os.environ:
        monkeypatch.setenv("SSL_CERT_FILE", few_authorities)


@pytest.fixture(autouse=True)
def _nobody(request: pytest.FixtureRequest) -> None:
    """Tests of one process share a Redis; the tenants of one would be there for the next."""
    for shared in {"redis_url", "empty_redis_url"}.intersection(request.fixturenames):
        with Redis.from_url(request.getfixturevalue(shared)) as client:
            for key in client.scan_iter("spillgate:{directory}:*"):
                client.delete(key)
