"""The form of tags: what usage can be grouped by beside the gateway's own dimensions.

It stands here and not in the domain because seeds in the configuration are checked with it. A row
of the ledger has at most MAX_TAGS of its tenant, as many of its key, and as many of the request.
"""

from __future__ import annotations

import re
from typing import Final

MAX_TAGS: Final = 8
MAX_VALUE: Final = 64

_NAME: Final = re.compile(r"[a-z0-9_.-]{1,32}")


def name_fault(name: str) -> str | None:
    """What is wrong with a tag's name; None for a good one."""
    if _NAME.fullmatch(name):
        return None
    return "a tag's name must be 1 to 32 of the characters a-z, 0-9, '_', '.' and '-'"


def value_fault(value: str) -> str | None:
    """What is wrong with a tag's value; None for a good one. Empty text would look like none."""
    if 0 < len(value) <= MAX_VALUE and value.isprintable():
        return None
    return f"a tag's value must be 1 to {MAX_VALUE} printable characters"
