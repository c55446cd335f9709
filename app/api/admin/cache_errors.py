"""How often answers by meaning were wrong, as measured, and what that leaves of the threshold."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.lookup import tenant_of
from app.api.admin.paging import PageOf, part_of
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Item, Page
from app.domain.cache.measured import MeasuredError


class ErrorRateView(BaseModel):
    """One tenant and model; distances are cosine distances."""

    tenant: str
    model: str
    samples: int = Field(description="answers by meaning that were compared with fresh ones")
    false_hits: int = Field(description="that were different, or that somebody told to be wrong")
    undecided: int = Field(description="further ones that could not be told")
    rate: float = Field(description="false_hits of samples")
    low: float = Field(description="the rate is from here with 95 % confidence")
    high: float = Field(description="up to here")
    threshold: float = Field(description="the largest distance at which it is answered now")
    widest: float = Field(description="the largest that it would be without false hits")

    @classmethod
    def of(cls, error: MeasuredError) -> ErrorRateView:
        """As it is shown."""
        return cls(**asdict(error))


def add_cache_error_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""

    @router.get("/cache/errors", openapi_extra=needs(Action.READ_CACHE))
    async def list_errors(caller: CallerOf, page: PageOf) -> Page[ErrorRateView]:
        """By tenant and model, of all that was compared within 30 days; `limit` is of tenants."""
        tenants = services.store.current.tenants
        seen = {name: name for name in tenants if caller.sees(name)}
        part, following = part_of(seen, page)
        found = await asyncio.gather(*(_errors(services, name) for name in part))
        return Page(data=[each for of_tenant in found for each in of_tenant], next=following)

    @router.get("/cache/{name}/errors", openapi_extra=needs(Action.READ_CACHE))
    async def read_errors(caller: CallerOf, name: str) -> Item[list[ErrorRateView]]:
        """The same of one tenant."""
        tenant = tenant_of(services, caller, name).name
        return Item(data=await _errors(services, tenant))


async def _errors(services: AdminServices, tenant: str) -> list[ErrorRateView]:
    """None where nothing is answered by meaning. Raises StoreUnavailable."""
    errors = services.cache.errors()
    return [ErrorRateView.of(each) for each in await errors.listed(tenant)] if errors else []
