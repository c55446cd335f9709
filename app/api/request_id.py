"""The id in `x-request-id`, the receipt and the logs."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from typing import Final

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BYTES: Final = 12
_AT_ONCE: Final = 256


def new_request_id() -> str:
    """An id that nobody else has."""
    return f"req_{secrets.token_hex(_BYTES)}"


def request_id_of(headers: Mapping[str, str]) -> str:
    """The caller's own id where it is a plain one, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _PLAIN.fullmatch(given) else new_request_id()


class RequestIds:
    """Ids for many requests: the system is asked for randomness once for 256 of them."""

    __slots__ = ("_unused",)

    def __init__(self) -> None:
        self._unused: list[str] = []

    def of(self, headers: Mapping[str, str]) -> str:
        """The caller's own id where it is a plain one, else a new one."""
        given = headers.get("x-request-id")
        if given is not None and _PLAIN.fullmatch(given):
            return given
        if not self._unused:
            digits, size = os.urandom(_AT_ONCE * _BYTES).hex(), 2 * _BYTES
            places = range(0, len(digits), size)
            self._unused = [f"req_{digits[at : at + size]}" for at in places]
        return self._unused.pop()
