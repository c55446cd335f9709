"""What libraries load for features that nobody here uses, kept out of a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Final

#: By library, what it loads where that is installed, and does without: for consoles and for
#: greenlets; for its own metrics and for stapled certificates; for reloading code; for a
#: process's own attributes. Some 20 MB.
_DOES_WITHOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "structlog": ("rich", "greenlet"),
    "redis": ("opentelemetry", "cryptography"),
    "uvicorn": ("watchfiles",),
    "opentelemetry.sdk.resources": ("psutil",),
}
#: All of it that a worker loads at once.
UNUSED: Final = tuple(
    name for library in ("structlog", "redis", "uvicorn") for name in _DOES_WITHOUT[library]
)


def load_libraries(*libraries: str) -> None:
    """Load these without it, each by itself: what another needs of it, that gets."""
    for library in libraries:
        with without(*_DOES_WITHOUT[library]):
            import_module(library)


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
