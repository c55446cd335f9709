"""Requests of the gateway's own, on the configuration in force."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.bootstrap.errands import OwnRequests, errands_of
from app.domain.call.errand import OWN_KEY
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Tenant
from app.errors import EmbedderUnavailable, NowhereAllowed, ShuttingDown
from tests.fakes.house import House

BODY = json.dumps({"model": "gpt-4o", "input": "some text"}).encode()
TENANTS = {
    "acme": Tenant("acme", frozenset({"another"})),
    "bound": Tenant("bound", routing=RoutePolicy(data_zones=frozenset({"eu"}))),
}


class Keys:
    """As much of the directory as is asked."""

    def tenant(self, name: str) -> Tenant | None:
        return TENANTS.get(name)


def own(house: House | None = None) -> OwnRequests:
    keys: Any = Keys()
    return OwnRequests(keys, errands_of(house.gateway) if house is not None else None)


async def test_a_text_is_embedded_in_the_name_of_whose_it_is() -> None:
    """Its tenant pays, by no key of its own; the model is not its choice."""
    house = House()
    house.upstream("ptu").answers(body=b'{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}')
    assert (await own(house).embed(BODY, "acme")).startswith(b'{"data"')
    (row,) = house.accounts.rows
    assert (row.tenant, row.key_id, row.errand, row.input) == ("acme", OWN_KEY, "embedding", 3)
    assert row.operation == "embeddings"
    assert row.request_id.startswith("errand-")


async def test_text_goes_only_where_it_may() -> None:
    """A tenant's data zones bind its prompts, too."""
    house = House()
    with pytest.raises(NowhereAllowed):
        await own(house).embed(BODY, "bound")
    assert not house.upstream.asked


async def test_nobodys_text_is_not_embedded() -> None:
    """Nor that of a tenant that is gone or disabled; nothing is asked before there is a way."""
    house = House()
    for name in ("", "gone"):
        with pytest.raises(EmbedderUnavailable):
            await own(house).embed(BODY, name)
    with pytest.raises(ShuttingDown):
        await own().embed(BODY, "acme")
    assert not house.upstream.asked
