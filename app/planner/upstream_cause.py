"""Why an upstream could not be asked, for whoever runs a command: the system's own words, too."""

from __future__ import annotations

from app.errors import SpillgateError


def told(error: SpillgateError) -> str:
    """Its code, and what the system says of a name, an address or a certificate, if it is that."""
    cause = error.__cause__
    why = str(error) if cause is None else f"{error} {type(cause).__name__}: {cause}"
    return f"{error.code}: {why}"
