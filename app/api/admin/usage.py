"""What was used and what it cost, summed by any dimension; and the ledger's rows themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from typing import IO, Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.ledger_readers import LedgerReaders
from app.api.admin.periods import Form, RowsQuery, query_of
from app.api.admin.reading import UsageReader
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Item, Page
from app.api.admin.streaming import MEDIA_TYPES
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.usage_query import UsageGroup, UsageQuery, UsageSums, grouped
from app.errors import MalformedRequest, SpillgateError

_MOST_GROUPINGS: Final = 8
#: OpenAPI: the same answer in the other formats.
_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {MEDIA_TYPES[form]: {} for form in (Form.CSV, Form.PARQUET)}}
}


class UsageQueryBody(RowsQuery):
    """Which rows, and what they are grouped by."""

    group_by: str = Field("", max_length=1024, description="dimensions, with commas between them")


class LedgerQueryBody(RowsQuery):
    """Which rows, and which part of them; CSV and Parquet are always whole."""

    cursor: int = Field(0, ge=0, description="`next` of the part before")
    limit: int = Field(1000, ge=1, le=10_000)


class GroupView(BaseModel):
    """One group: its value in each dimension grouped by, beside these sums."""

    model_config = ConfigDict(extra="allow")

    requests: int = Field(description="charged; `estimated` and `unpriced` are some of them")
    released: int = Field(description="given back: nothing was generated")
    expired: int = Field(description="held, and never settled")
    refused: int = Field(description="not let in")
    input: int = Field(description="tokens")
    cached_input: int = Field(description="part of `input`")
    output: int = Field(description="tokens")
    reasoning: int = Field(description="part of `output`")
    nano_usd: int = Field(description="billionths of a US dollar")
    estimated: int = Field(description="charged by an estimate")
    unpriced: int = Field(description="of models whose price nobody knows")
    saved_nano_usd: int = Field(description="what answers from the cache would have cost")

    @classmethod
    def of(cls, group: UsageGroup) -> GroupView:
        """As it is shown."""
        sums = {each.name: getattr(group.usage, each.name) for each in fields(UsageSums)}
        return cls(**sums, **group.values)


class RowView(BaseModel):
    """One row of the ledger; times in Unix seconds, durations in seconds."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="of the reservation; of the request where there was none")
    kind: str = Field(description="settled, merged, released, expired, refused or unmetered")
    at: float = Field(description="when it was recorded")
    tenant: str
    request_id: str = Field(description="the `x-request-id` of its answer")
    key_id: str | None
    model: str | None
    deployment: str | None
    deployment_kind: str | None
    operation: str | None
    stream: bool
    status: int | None = Field(description="of the answer")
    outcome: str | None
    error: str | None
    spill: str
    input: int = Field(description="tokens")
    cached_input: int = Field(description="part of `input`")
    output: int = Field(description="tokens")
    reasoning: int = Field(description="part of `output`")
    nano_usd: int = Field(description="billionths of a US dollar")
    reserved_tokens: int = Field(description="what was held for it")
    reserved_nano_usd: int = Field(description="what was held for it")
    flags: list[str] = Field(description="such as estimated, background, unpriced, soft:LIMIT")
    tags: dict[str, str] = Field(description="the request's, its key's and its tenant's")
    started_at: float = Field(description="when the request came")
    duration: float
    time_to_first_token: float | None
    attempts: int = Field(description="deployments that were asked")
    day: str = Field(description="that it is charged to, in the tenant's time zone")
    month: str = Field(description="the same")
    cache: str
    saved_nano_usd: int = Field(description="what an answer from the cache would have cost")
    errand: str = Field(description="what the gateway asked it for itself; empty for callers'")
    corrects: str = Field(description="the id of the estimate that it corrects; else empty")


def add_usage_routes(router: APIRouter, services: AdminServices, readers: LedgerReaders) -> None:
    """Put them on the router."""

    @router.get(
        "/usage",
        response_model=Item[list[GroupView]],
        responses=_FORMS,
        openapi_extra=needs(Action.READ_USAGE),
    )
    async def read_usage(
        caller: CallerOf, asked: Annotated[UsageQueryBody, Query()]
    ) -> Item[list[GroupView]] | Response:
        """Usage and cost by any dimension: tenant, key_id, model, day, tag:NAME and more."""
        query = query_of(asked, caller, _group_by(asked.group_by))
        groups = await readers.read(caller, _groups, services.usage, query)
        if asked.format is Form.JSON:
            return Item(data=[GroupView.of(group) for group in groups])

        def write(target: IO[bytes]) -> None:
            services.usage.write_groups(groups, query, asked.format, target)

        return await readers.stream(caller, write, form=asked.format, name="usage")

    @router.get(
        "/ledger",
        response_model=Page[RowView],
        responses=_FORMS,
        openapi_extra=needs(Action.READ_LEDGER),
    )
    async def read_ledger(
        caller: CallerOf, asked: Annotated[LedgerQueryBody, Query()]
    ) -> Page[RowView] | Response:
        """Rows as they were recorded: one for each request, refused ones too."""
        query = query_of(asked, caller)
        if asked.format is Form.JSON:
            return await readers.read(caller, _page, services.usage, query, asked)

        def write(target: IO[bytes]) -> None:
            _write_rows(services.usage, query, asked.format, target)

        return await readers.stream(caller, write, form=asked.format, name="ledger")


def _groups(usage: UsageReader, query: UsageQuery) -> list[UsageGroup]:
    return grouped((row for _, row in usage.rows(query)), query)


def _write_rows(usage: UsageReader, query: UsageQuery, form: Form, target: IO[bytes]) -> None:
    """Write those asked for; what reading them raises is raised, whatever a writer makes of it."""
    failed: list[SpillgateError] = []

    def rows() -> Iterator[LedgerRow]:
        try:
            yield from (row for _, row in usage.rows(query) if query.matches(row))
        except SpillgateError as error:
            failed.append(error)
            raise

    try:
        usage.write_rows(rows(), form, target)
    except Exception as error:
        if failed:
            raise failed[0] from error
        raise


def _page(usage: UsageReader, query: UsageQuery, asked: LedgerQueryBody) -> Page[RowView]:
    """One row more than asked for is read, to know whether there are more."""
    rows = ((number, row) for number, row in usage.rows(query, asked.cursor) if query.matches(row))
    found = list(islice(rows, asked.limit + 1))
    part = found[: asked.limit]
    following = str(part[-1][0]) if len(found) > len(part) else None
    return Page(data=[_view(row) for _, row in part], next=following)


def _view(row: LedgerRow) -> RowView:
    return RowView.model_validate(row)


def _group_by(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in given.split(",")) if given else ()
    if len(set(names)) != len(names) or len(names) > _MOST_GROUPINGS:
        message = f"group_by: must name at most {_MOST_GROUPINGS} dimensions, each once."
        raise MalformedRequest(message, param="group_by")
    return names
