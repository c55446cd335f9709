from __future__ import annotations

import pytest
from fastapi import APIRouter, Response

from app.api.admin.guard import CallerOf, needs
from app.api.admin.roles import Action, Caller
from app.api.admin.tenants import NewTenant
from app.api.console.api import Api, valid
from app.domain.identity.directory import Actor, Role
from app.errors import MalformedRequest, NotAllowed
from tests.fakes.console import ConsoleHouse

OWNER = Caller(Actor("owner", Role.OWNER))
VIEWER = Caller(Actor("viewer", Role.VIEWER))


def router() -> APIRouter:
    """Three routes: one for owners, one for everybody, one that declares nothing."""
    found = APIRouter()

    @found.post("/write", openapi_extra=needs(Action.WRITE_TENANTS))
    async def write(caller: CallerOf, name: str, response: Response) -> str:
        response.headers["etag"] = "1"
        return f"{caller.actor.name} wrote {name}"

    @found.get("/read", openapi_extra=needs(Action.SEE_SELF))
    async def read() -> str:
        return "read"

    @found.get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    return found


async def test_a_function_is_called_with_what_it_takes() -> None:
    """Its caller, and an answer to put headers on, where it has them."""
    api = Api(router())
    assert await api.call(OWNER, "write", name="it") == "owner wrote it"
    assert await api.call(OWNER, "read") == "read"


async def test_a_page_that_forgets_to_ask_is_refused_all_the_same() -> None:
    """Each route's own permission is checked; what declares none lets nobody in."""
    api = Api(router())
    with pytest.raises(NotAllowed):
        await api.call(VIEWER, "write", name="it")
    with pytest.raises(NotAllowed):
        await api.call(OWNER, "forgotten")
    assert await api.call(VIEWER, "read") == "read"


async def test_what_is_wrong_with_a_form_is_said_as_the_api_says_it(house: ConsoleHouse) -> None:
    """Field by field, without repeating what was sent."""
    sent = {"name": "no spaces", "ptu_share": 7, "unknown": 1}
    with pytest.raises(MalformedRequest) as refused:
        valid(NewTenant, sent)
    async with house.house.client() as client:
        said = (await client.post("tenants", json=sent)).json()["error"]
    assert (refused.value.message, refused.value.param) == (said["message"], said["param"])
