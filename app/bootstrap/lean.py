"""What libraries load for features that nobody here uses, kept out of a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Loaded where installed, each by somebody who does without it: rich by structlog, for consoles;
#: OpenTelemetry's SDK and cryptography by redis-py, for its own metrics and for stapled
#: certificates; watchfiles by uvicorn, for reloading code. Together some 15 MB.
UNUSED: Final = ("rich", "opentelemetry", "cryptography", "watchfiles")


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Whoever imports one of these inside is told that it is not installed.

    Afterwards it can be imported, where it is needed after all: spans are, where they are traced.
    """
    absent = [name for name in packages if name not in sys.modules]
    kept_out: dict[str, object] = dict.fromkeys(absent)
    sys.modules.update(kept_out)  # type: ignore[arg-type]  # None: Python's own way to say it
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
