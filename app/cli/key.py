"""`spillgate key new`: a fresh key for a seed in a configuration."""

from __future__ import annotations

import secrets
from typing import Literal

from app.domain.api_key import ID_BYTES, SECRET_BYTES, mint


def new_key(environment: Literal["live", "test"] = "live") -> str:
    """Make a key from the system's randomness; it is kept nowhere."""
    return mint(
        environment=environment,
        id_bytes=secrets.token_bytes(ID_BYTES),
        secret_bytes=secrets.token_bytes(SECRET_BYTES),
    )
