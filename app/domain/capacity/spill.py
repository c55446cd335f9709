"""Why a request was not served by its first tier."""

from __future__ import annotations

from enum import StrEnum


class SpillReason(StrEnum):
    """One closed set everywhere it is shown: header, record, metric and explanation."""

    NONE = "none"
    THROTTLED = "throttled"  # the upstream refused this request
    HELD = "held"  # skipped: a hold was known
    PREDICTED = "predicted"  # skipped: it would have been refused
    SHARE = "share"  # skipped: the room that is left is other tenants' part
    SIZE = "size"  # skipped: so large that it would block others
    ERROR = "error"  # the upstream failed
    UNHEALTHY = "unhealthy"  # skipped: it failed too often
    POLICY = "policy"  # the tenant's requests may not go there
