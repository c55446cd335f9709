"""What the log writes: read, changed for a while on all replicas, put back."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.admin.changing import update
from app.api.admin.guard import CallerOf, needs
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Changed, InForceView, Item
from app.domain.identity.directory import LogsEntry
from app.settings.logs import LogLevel
from app.settings.section import Float

#: A change ends by itself: a level that was raised for an incident is not forgotten.
FOR_S: Final = 900.0
LONGEST_S: Final = 86_400.0

Requests = Literal["all", "none", "sample"]


class LogsBody(Body):
    """What is to be written for a while; what is not sent is as configured."""

    level: LogLevel | None = Field(None, description="the least that is written")
    requests: Requests | None = Field(
        None, description="which requests have a line; sample: what went wrong, and a part"
    )
    for_s: Annotated[Float, Field(gt=0, le=LONGEST_S, description="seconds until it ends")] = FOR_S


class RulesView(BaseModel):
    """What is written."""

    level: LogLevel
    requests: Requests


class LogsView(RulesView):
    """What is in force now, until when, and what is after that."""

    until: float | None = Field(description="Unix seconds; null: nothing but the configuration")
    configured: RulesView


def add_logs_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router."""

    @router.get("/logs", openapi_extra=needs(Action.READ_LOGS))
    async def read_logs() -> Item[LogsView]:
        """What is written to the log."""
        return Item(data=_view(services, _entry(services)))

    @router.put("/logs", openapi_extra=needs(Action.WRITE_LOGS))
    async def change_logs(caller: CallerOf, body: LogsBody) -> Changed[LogsView]:
        """Write more or less for a while, on all replicas within a second.

        No level writes a word of what was asked or answered.
        """
        until = services.clock.unix() + body.for_s
        said = LogsEntry(body.level, body.requests, until)
        return await _changed(services, caller, said)

    @router.delete("/logs", openapi_extra=needs(Action.WRITE_LOGS))
    async def restore_logs(caller: CallerOf) -> Changed[LogsView]:
        """Write what is configured again, at once."""
        return await _changed(services, caller, LogsEntry())


async def _changed(services: AdminServices, caller: CallerOf, said: LogsEntry) -> Changed[LogsView]:
    entry, in_force = await update(
        services.store,
        lambda: _entry(services),
        lambda entry: replace(said, version=entry.version),
        caller=caller,
    )
    return Changed(data=_view(services, entry), in_force=InForceView.of(in_force))


def _entry(services: AdminServices) -> LogsEntry:
    return services.store.current.logs or LogsEntry(version=0)


def _view(services: AdminServices, entry: LogsEntry) -> LogsView:
    rules = services.log_rules()
    configured = RulesView(level=rules.level, requests=rules.which)
    if entry.until <= services.clock.unix():
        return LogsView(**configured.model_dump(), until=None, configured=configured)
    said = {"level": entry.level, "requests": entry.requests}
    in_force = configured.model_dump() | {name: word for name, word in said.items() if word}
    return LogsView(**in_force, until=entry.until, configured=configured)
