"""Which rows of the ledger are asked for: a period, and one value of each dimension."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import Field

from app.api.admin.roles import Caller
from app.api.admin.shapes import Body, Moment
from app.domain.ledger.usage_query import TAG, UnknownDimension, UsageQuery, Value
from app.errors import MalformedRequest

_DIMENSIONS: Final = (
    "tenant",
    "key_id",
    "model",
    "deployment",
    "deployment_kind",
    "operation",
    "outcome",
    "status",
    "error",
    "spill",
    "kind",
    "day",
    "month",
    "hour",
)

_MOST_TAGS: Final = 16


class Form(StrEnum):
    """How an answer is written; a closed set."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class RowsQuery(Body):
    """Rows with `since <= at < until` that have these values."""

    since: Moment | None = Field(None, description="Unix seconds, or ISO 8601 with a zone")
    until: Moment | None = Field(None, description="exclusive")
    tenant: str | None = None
    key_id: str | None = None
    model: str | None = None
    deployment: str | None = None
    deployment_kind: str | None = None
    operation: str | None = None
    outcome: str | None = None
    status: str | None = Field(None, description="sent to the client, such as 429")
    error: str | None = Field(None, description="the error's code")
    spill: str | None = None
    kind: str | None = None
    day: str | None = Field(None, description="YYYY-MM-DD in the tenant's time zone")
    month: str | None = Field(None, description="YYYY-MM in the tenant's time zone")
    hour: str | None = Field(None, description="YYYY-MM-DDTHH:00Z")
    tag: list[str] = Field(
        [],
        max_length=_MOST_TAGS,
        description="name=value, or name= for rows without it; repeatable: several values of one"
        " name are alternatives, several names must all be there",
    )
    format: Form = Form.JSON


def query_of(asked: RowsQuery, caller: Caller, group_by: tuple[str, ...] = ()) -> UsageQuery:
    """The query, of the caller's tenant alone where it sees no other.

    Raises UnknownEntry for a tenant it does not see, MalformedRequest.
    """
    if asked.tenant is not None:
        caller.require_sight(asked.tenant)
    values = {name: getattr(asked, name) for name in _DIMENSIONS}
    if caller.tenant is not None:
        values["tenant"] = caller.tenant
    where: dict[str, frozenset[Value]] = {
        name: frozenset({value}) for name, value in values.items() if value is not None
    }
    try:
        return UsageQuery(group_by, asked.since, asked.until, where | _tags(asked.tag))
    except UnknownDimension as error:
        raise MalformedRequest(f"group_by: {error}.", param="group_by") from error


def _tags(given: list[str]) -> dict[str, frozenset[Value]]:
    found: dict[str, frozenset[Value]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise MalformedRequest("tag: must be written name=value.", param="tag")
        before = found.get(TAG + name, frozenset())
        found[TAG + name] = before | {value or None}
    return found
