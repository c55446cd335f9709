"""End-to-end tests print what they measured, and not a line per request."""

from __future__ import annotations

import pytest

from app.adapters.logs import configure_logs


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    configure_logs("critical")
