"""The list of models, as a tenant sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.identity.tenant import Principal, Tenant
from app.domain.routing.deployment import Fleet
from app.errors import UnknownModel
from app.stages.catalogue import OPERATIONS, Catalogue
from app.wire.routes import match
from tests.fakes.reply import RecordingReply

CATALOGUE = Catalogue(Fleet({}, {"gpt-4o": (), "org/mini": (), "embed": ()}), created=17)
ALL = Principal(Tenant("acme"), "k")
SOME = Principal(Tenant("rival", frozenset({"embed", "gpt-4o", "not-configured"})), "k")


async def shown(principal: Principal, path: str) -> Any:
    reply = RecordingReply()
    route = match("GET", path, "")
    assert route.operation in OPERATIONS
    await CATALOGUE.answer(principal, route, reply)
    assert (reply.status, reply.finished) == (200, True)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"] == str(len(reply.body))
    return json.loads(reply.body)


async def test_the_list_has_the_tenants_models() -> None:
    """In the order of the config; models that are not configured do not appear."""
    listed = await shown(ALL, "/v1/models")
    assert listed["object"] == "list"
    assert [entry["id"] for entry in listed["data"]] == ["gpt-4o", "org/mini", "embed"]
    listed = await shown(SOME, "/openai/models")
    assert [entry["id"] for entry in listed["data"]] == ["gpt-4o", "embed"]


async def test_one_model_is_what_openai_would_show() -> None:
    """The four fields of a model, by a name that may have a slash."""
    entry = await shown(ALL, "/v1/models/org%2Fmini")
    assert entry == {"id": "org/mini", "object": "model", "created": 17, "owned_by": "spillgate"}


@pytest.mark.parametrize("name", ["org%2Fmini", "not-configured", "nothing"])
async def test_a_model_that_is_not_the_tenants_does_not_exist(name: str) -> None:
    """Whether it exists for others is not told, and nothing is sent."""
    reply = RecordingReply()
    with pytest.raises(UnknownModel) as caught:
        await CATALOGUE.answer(SOME, match("GET", f"/v1/models/{name}", ""), reply)
    assert "does not exist or you do not have access" in caught.value.message
    assert reply.status is None
