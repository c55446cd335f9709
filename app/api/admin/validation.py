"""What is wrong with a request, field by field, without repeating what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from app.errors import MalformedRequest

_TOLD: Final = 5
_WORDS: Final = {
    "extra_forbidden": "unknown field",
    "missing": "is missing",
    "json_invalid": "the body is no JSON",
}


def malformed(error: RequestValidationError) -> MalformedRequest:
    """The refusal; `param` is the first field's name."""
    faults = error.errors()
    told = "; ".join(_told(fault) for fault in faults[:_TOLD])
    return MalformedRequest(f"Invalid request: {told}.", param=_place(faults[0]) or None)


def _told(fault: Mapping[str, Any]) -> str:
    what = _WORDS.get(fault["type"], fault["msg"])
    place = _place(fault)
    return f"{place}: {what}" if place else what


def _place(fault: Mapping[str, Any]) -> str:
    """`limits.0.amount`; whether it is the body's or the query's is plain from its name."""
    if fault["type"] == "json_invalid":
        return ""
    _, *place = fault["loc"]
    return ".".join(str(part)[:64] for part in place)
