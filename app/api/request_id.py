"""The id in `x-request-id`, the receipt and the logs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final

#: Of ids that are ours.
PREFIX: Final = "req_"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BYTES: Final = 12


def new_request_id() -> str:
    """An id that nobody else has."""
    return f"{PREFIX}{secrets.token_hex(_BYTES)}"


def request_id_of(headers: Mapping[str, str], new: Callable[[], str] = new_request_id) -> str:
    """The caller's own id where it is a plain one, else a new one."""
    given = headers.get("x-request-id")
    return given if given is not None and _PLAIN.fullmatch(given) else new()
