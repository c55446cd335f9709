"""JSON in the one form that all spellings of the same value have.

Names of objects are sorted, arrays keep their order, numbers of the same value are written alike,
strings are compared by code points: nothing is normalised.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

#: Doubles from here on are written as they are: as integers they would be 300 digits long.
_LARGE: Final = 2.0**64


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _LARGE else value


_DECODER: Final = msgspec.json.Decoder(float_hook=_number)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def read(body: bytes) -> Any:
    """The value, 1.0 read as 1. Raises msgspec.MsgspecError or UnicodeDecodeError for no JSON."""
    return _DECODER.decode(body)


def canonical(value: object) -> bytes:
    """The form of what `read` gave."""
    return _ENCODER.encode(value)
