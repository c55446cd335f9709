"""Days as the file has them."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_FORM: Final = "must be a day such as 2026-12-01"


def day(value: object) -> date:
    """`2026-12-01` as a day. Raises ValueError for anything else."""
    if type(value) is date:
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError(_DAY_FORM)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(_DAY_FORM) from None
