"""The same value but for some fields: of a dataclass or a struct (`copy.replace` from 3.13 on)."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """A copy with these changes."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    copied: T = dataclasses.replace(value, **changes)  # type: ignore[type-var]  # it is one
    return copied
