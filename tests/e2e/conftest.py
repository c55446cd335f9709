"""End-to-end tests print what they measured, and not a line per request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from app.adapters.logs import configure_logs


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Only for the test: others look at what is logged."""
    configure_logs("critical")
    yield
    structlog.reset_defaults()
