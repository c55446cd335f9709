"""What the admin API takes its caller for."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.admin.guard import CallerOf, needs
from app.api.admin.roles import PERMISSIONS, Action
from app.api.admin.shapes import Item
from app.domain.identity.directory import Role


class Me(BaseModel):
    """The caller, and what its role allows."""

    name: str
    role: Role
    tenant: str | None
    permissions: list[Action]


def add_me_route(router: APIRouter) -> None:
    """Put it on the router."""

    @router.get("/me", openapi_extra=needs(Action.SEE_SELF))
    async def read_me(caller: CallerOf) -> Item[Me]:
        """Who you are here."""
        role = caller.actor.role
        return Item(
            data=Me(
                name=caller.actor.name,
                role=role,
                tenant=caller.tenant,
                permissions=sorted(PERMISSIONS[role]),
            )
        )
