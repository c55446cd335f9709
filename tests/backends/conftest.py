"""Traces go to programs that take a while to start: one of each for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from app.adapters.logs import configure_logs


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The tests print no line per request."""
    configure_logs("critical")
    yield
    structlog.reset_defaults()
