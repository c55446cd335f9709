"""What administrators have said, as it is whenever it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Tenant
from app.domain.routing.operations import Operations


def _unchanged(tenant: Tenant) -> RoutePolicy:
    return tenant.routing


@dataclass(frozen=True, slots=True)
class LiveRules:
    """A request may live longer than they do: asked for before each step that they decide."""

    operations: Callable[[], Operations] = dict
    policy: Callable[[Tenant], RoutePolicy | None] = _unchanged
    """Where a tenant's requests may go; None once it may ask for nothing."""
    version: Callable[[], object] = object
    """The same object again: nobody has said anything since. A new one each time: nobody knows."""


#: Nobody says anything, and tenants stay what they were when their requests came.
UNCHANGED: Final = LiveRules()
