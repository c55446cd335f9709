from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog


class Logged(io.StringIO):
    """Where logs go, read as lines."""

    @property
    def text(self) -> str:
        return self.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.split("\n")[:-1]]


@pytest.fixture
def stream() -> Iterator[Logged]:
    """What was set up before is set up again afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield Logged()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
