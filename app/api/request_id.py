"""The id in `x-request-id`, the receipt and the logs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def new_request_id() -> str:
    """An id that nobody else has."""
    return f"req_{secrets.token_hex(12)}"


def request_id_of(headers: Mapping[str, str]) -> str:
    """The caller's own id where it is a plain one, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _PLAIN.fullmatch(given) else new_request_id()
