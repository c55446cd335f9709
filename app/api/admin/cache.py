"""Kept answers of tenants: how many, which, evicted, and told to be wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Final, Self

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.api.admin.guard import CallerOf, needs
from app.api.admin.lookup import tenant_of
from app.api.admin.paging import PageOf, part_of
from app.api.admin.roles import Action, Caller
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item, Page
from app.domain.cache.kept import PROMPT_BEGINNING, KeptAnswer, KeptTotals, Selection
from app.domain.call.request import Operation
from app.domain.identity.directory import CacheEntry, Change, EntryKind
from app.errors import MalformedRequest, StoreUnavailable
from app.settings.section import Name

#: Characters of a prompt that are shown: it is to be recognised, not read.
PROMPT_SHOWN: Final = 120
_ONE_WAY: Final = "select by request_id, or fingerprint, or model and prompt_prefix, or all"


RequestId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Fingerprint = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]


class TotalsView(BaseModel):
    """All that is kept of one tenant."""

    tenant: str
    answers: int
    bytes: int = Field(description="in the store")

    @classmethod
    def of(cls, tenant: str, totals: KeptTotals) -> TotalsView:
        """As they are shown."""
        return cls(tenant=tenant, answers=totals.answers, bytes=totals.size)


class KeptView(BaseModel):
    """One kept answer; never its body. Times are Unix seconds."""

    fingerprint: str = Field(description="of all that shapes the answer; hexadecimal")
    request_id: str = Field(description="of the request that it was the answer to")
    model: str
    operation: Operation
    stored_at: float
    expires_at: float
    bytes: int = Field(description="in the store")
    by_meaning: bool = Field(description="whether it can be found by meaning")
    prompt: str = Field(description=f"the first {PROMPT_SHOWN} characters of the last user turn")

    @classmethod
    def of(cls, answer: KeptAnswer) -> KeptView:
        """As it is shown."""
        return cls(
            fingerprint=answer.fingerprint.hex(),
            request_id=answer.request_id,
            model=answer.model,
            operation=answer.operation,
            stored_at=answer.stored_at,
            expires_at=answer.expires_at,
            bytes=answer.size,
            by_meaning=answer.by_meaning,
            prompt=answer.prompt[:PROMPT_SHOWN],
        )


class EvictionBody(Body):
    """Which answers: selected in one of four ways."""

    request_id: RequestId | None = Field(
        None, description="of a request that was answered from the cache, or whose answer is kept"
    )
    fingerprint: Fingerprint | None = None
    model: Name | None = Field(None, description="as requests name it")
    prompt_prefix: (
        Annotated[str, StringConstraints(min_length=1, max_length=PROMPT_BEGINNING)] | None
    ) = Field(None, description="how the last user turn begins")
    all: bool = Field(default=False, description="all of the tenant's")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_kind = self.model is not None or self.prompt_prefix is not None
        ways = (self.request_id is not None, self.fingerprint is not None, by_kind, self.all)
        if sum(ways) != 1:
            raise PydanticCustomError("selection", _ONE_WAY)
        return self

    def selection(self) -> Selection:
        """The same for the store."""
        return Selection(
            fingerprint=None if self.fingerprint is None else bytes.fromhex(self.fingerprint),
            request_id=self.request_id,
            model=self.model,
            prompt_prefix=self.prompt_prefix,
        )

    def recorded(self) -> dict[str, str]:
        """What is recorded of it: no word of a prompt."""
        found: dict[str, str] = self.model_dump(exclude_none=True, exclude={"all", "prompt_prefix"})
        if self.prompt_prefix is not None:
            found["prompt_prefix"] = f"{len(self.prompt_prefix)} characters"
        return found or {"all": "true"}


class WrongBody(Body):
    """Which answer was wrong: that of a request, or the one with a fingerprint."""

    request_id: RequestId | None = Field(None, description="of the request that was answered so")
    fingerprint: Fingerprint | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.request_id is None) == (self.fingerprint is None):
            raise PydanticCustomError("selection", "name it by request_id or by fingerprint")
        return self


class WrongView(BaseModel):
    """What came of it."""

    tenant: str
    evicted: int = Field(description="answers")
    counted: bool = Field(description="as a false hit: found by meaning, and told the first time")
    recorded: bool = Field(description="in the audit log; false: it could not be written")


class EvictedView(BaseModel):
    """What is gone, on all replicas."""

    tenant: str
    evicted: int = Field(description="answers")
    fingerprint: str | None = Field(
        description="of the answer that the request got or made; null: that is not known"
    )
    recorded: bool = Field(description="in the audit log; false: it could not be written")


def add_cache_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""
    _add_totals(router, services)
    _add_list(router, services)
    _add_eviction(router, services)
    _add_telling(router, services)


def _add_totals(router: APIRouter, services: AdminServices) -> None:
    @router.get("/cache", openapi_extra=needs(Action.READ_CACHE))
    async def list_totals(caller: CallerOf, page: PageOf) -> Page[TotalsView]:
        """How many answers are kept of each tenant, by name; a tenant-admin sees its own alone."""
        tenants = services.store.current.tenants
        seen = {name: name for name in tenants if caller.sees(name)}
        part, following = part_of(seen, page)
        totals = await asyncio.gather(*(services.cache.kept.totals(name) for name in part))
        views = [TotalsView.of(name, each) for name, each in zip(part, totals, strict=True)]
        return Page(data=views, next=following)

    @router.get("/cache/{name}/totals", openapi_extra=needs(Action.READ_CACHE))
    async def read_totals(caller: CallerOf, name: str) -> Item[TotalsView]:
        """How many answers are kept of one tenant, and how large they are."""
        tenant = tenant_of(services, caller, name).name
        return Item(data=TotalsView.of(tenant, await services.cache.kept.totals(tenant)))


def _add_list(router: APIRouter, services: AdminServices) -> None:
    @router.get("/cache/{name}/answers", openapi_extra=needs(Action.LIST_CACHE))
    async def list_answers(caller: CallerOf, name: str, page: PageOf) -> Page[KeptView]:
        """A tenant's kept answers, those that end last first; a page may be shorter than asked."""
        tenant = tenant_of(services, caller, name).name
        try:
            found = await services.cache.kept.entries(tenant, page.cursor or "", page.limit)
        except ValueError as error:
            raise MalformedRequest(f"{error}.", param="cursor") from None
        return Page(data=[KeptView.of(each) for each in found.answers], next=found.cursor or None)


def _add_eviction(router: APIRouter, services: AdminServices) -> None:
    @router.post("/cache/{name}/evictions", openapi_extra=needs(Action.EVICT_CACHE))
    async def evict(caller: CallerOf, name: str, body: EvictionBody) -> Item[EvictedView]:
        """Have answers served no more, then record it: a full store lets go, and takes nothing.

        By a request's id: what the request got from the cache or what is kept of its own answer,
        whichever of both there is. What was got is known as long as the request can be explained.
        """
        tenant = tenant_of(services, caller, name).name
        got = await _got(services, tenant, body.request_id)
        selections = [body.selection(), *([Selection(bytes.fromhex(got))] if got else [])]
        async with _recorded(services, caller, tenant, body.recorded()) as record:
            evicted = await _evicted(services, tenant, selections)
        log = structlog.get_logger()
        log.info("answers_evicted", tenant=tenant, evicted=evicted, by=body.recorded())
        view = EvictedView(
            tenant=tenant, evicted=evicted, fingerprint=got, recorded=record.is_written
        )
        return Item(data=view)


def _add_telling(router: APIRouter, services: AdminServices) -> None:
    @router.post("/cache/{name}/wrong-hits", openapi_extra=needs(Action.EVICT_CACHE))
    async def tell_wrong(caller: CallerOf, name: str, body: WrongBody) -> Item[WrongView]:
        """Say that an answer was wrong: it is evicted, and counted once if it was found by meaning.

        What is counted tightens the threshold of the tenant and the model. 404 where no answer is
        known by that id: a request's is, for as long as it can be explained.
        """
        tenant = tenant_of(services, caller, name).name
        said: dict[str, str] = body.model_dump(exclude_none=True)
        async with _recorded(services, caller, tenant, said) as record:
            told = await services.cache.wrong_hits.told_wrong(
                tenant,
                request_id=body.request_id or "",
                fingerprint=bytes.fromhex(body.fingerprint or ""),
            )
        structlog.get_logger().info("answer_told_wrong", tenant=tenant, by=said, **asdict(told))
        return Item(data=WrongView(tenant=tenant, recorded=record.is_written, **asdict(told)))


async def _got(services: AdminServices, tenant: str, request_id: str | None) -> str | None:
    """The fingerprint of the answer that a request got or made, where it can be explained."""
    if request_id is None:
        return None
    found = await services.explanations.find(request_id, [tenant])
    return (found.cache.fingerprint or None) if found and found.cache else None


@dataclass(slots=True)
class _Record:
    """Whether it is in the audit log."""

    is_written: bool = False


@asynccontextmanager
async def _recorded(
    services: AdminServices, caller: Caller, tenant: str, evicted: dict[str, str]
) -> AsyncIterator[_Record]:
    """Recorded afterwards, also what broke off; an eviction stands without its record."""
    record = _Record()
    try:
        yield record
    except StoreUnavailable:
        await _write(services, caller, tenant, evicted)
        raise
    record.is_written = await _write(services, caller, tenant, evicted)


async def _write(
    services: AdminServices, caller: Caller, tenant: str, evicted: dict[str, str]
) -> bool:
    change = Change(EntryKind.CACHE, tenant, CacheEntry(tenant, evicted))
    try:
        await services.store.change([change], caller.actor)
    except StoreUnavailable:
        log = structlog.get_logger()
        log.warning("eviction_not_recorded", tenant=tenant, by=evicted, actor=caller.actor.name)
        return False
    return True


async def _evicted(services: AdminServices, tenant: str, selections: Sequence[Selection]) -> int:
    try:
        return sum([await services.cache.kept.evict(tenant, each) for each in selections])
    except StoreUnavailable as error:
        message = "The cache is out of reach: some of the answers may be left. Evict them again."
        raise StoreUnavailable(message, retry_after_s=error.retry_after_s) from error
