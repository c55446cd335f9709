"""What a configuration asks for and this version does not do yet.

Start-up and `check` print it, so that nothing is ignored in silence. A part leaves this list in
the change that builds it.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.settings.model import Settings
from app.settings.process import Listen


def unsupported(settings: Settings) -> list[str]:
    """Paths of what is accepted but not enforced, in the order of the file's sections."""
    return list(_listen_parts(settings.listen))


def _listen_parts(listen: Listen) -> Iterator[str]:
    for name in ("trusted_proxies",):
        if getattr(listen, name):
            yield f"listen.{name}"
