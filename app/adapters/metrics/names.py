"""Label values that callers have a part in, kept to closed sets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from app.observation import UNKNOWN_MODEL

#: What has no name of its own: tenants beyond the cap, strangers, models that are not configured.
OTHER: Final = "other"


def model_label(model: str | None) -> str:
    """A configured model's name, or `other`."""
    return OTHER if model is None or model == UNKNOWN_MODEL else model


class TenantLabels:
    """The first tenants that ask have series of their own, for as long as the process runs.

    A place is not given away again, even where its tenant was deleted: a series that changes its
    meaning is worse than one that rests.
    """

    __slots__ = ("_at_most", "_known")

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._known: set[str] = set()

    def expect(self, tenants: Collection[str]) -> set[str]:
        """Give each its place before it asks, if there is one for all of them.

        Returns those of them that have one. Where there is not, who asks first has it.
        """
        if len(tenants) <= self._at_most and len(self._known.union(tenants)) <= self._at_most:
            self._known.update(tenants)
        return self._known.intersection(tenants)

    def __call__(self, tenant: str | None) -> str:
        """The label of this tenant; None is a stranger."""
        if tenant in self._known:
            return tenant or OTHER
        if not tenant or len(self._known) >= self._at_most:
            return OTHER
        self._known.add(tenant)
        return tenant
