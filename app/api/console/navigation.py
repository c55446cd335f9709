"""Which pages there are, in the order of the menu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.api.admin.roles import Action, Caller


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the menu, and what its visitor has to be allowed."""

    label: str
    path: str
    action: Action


PLACES: Final = (
    Place("Overview", "/", Action.READ_USAGE),
    Place("PTU", "/ptu", Action.READ_DEPLOYMENTS),
    Place("Spill", "/spill", Action.READ_DEPLOYMENTS),
    Place("Plan", "/plan", Action.MAKE_PLAN),
    Place("Deployments", "/deployments", Action.READ_DEPLOYMENTS),
    Place("Requests", "/requests", Action.READ_LEDGER),
    Place("Tenants", "/tenants", Action.READ_TENANTS),
    Place("Keys", "/keys", Action.READ_KEYS),
    Place("Statements", "/statements", Action.READ_USAGE),
    Place("Cache", "/cache", Action.READ_CACHE),
    Place("Audit", "/audit", Action.READ_AUDIT),
    Place("Playground", "/playground", Action.SEE_SELF),
)


def menu_of(caller: Caller) -> list[Place]:
    """The pages that this role may see."""
    return [place for place in PLACES if caller.may(place.action)]
