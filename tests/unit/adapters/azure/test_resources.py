"""Azure Resource Manager, played by a transport of httpx's own kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.adapters.azure.resources import of_resource, of_subscription
from app.planner.drafting.found import Found, NotTold

MANAGEMENT = "https://management.azure.com"
ACCOUNT = "/subscriptions/one/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/east"
ENDPOINT = "https://east.openai.azure.com"
LIST = f"{MANAGEMENT}/subscriptions/one/providers/Microsoft.CognitiveServices/accounts"

Answers = dict[str, Any]


def account(name: str, kind: str = "OpenAI") -> dict[str, Any]:
    path = ACCOUNT.replace("east", name)
    properties = {"endpoint": f"https://{name}.openai.azure.com/"}
    return {"id": path, "name": name, "kind": kind, "location": "eastus", "properties": properties}


def deployment(name: str) -> dict[str, Any]:
    model = {"format": "OpenAI", "name": "gpt-4o"}
    return {"name": name, "sku": {"name": "Standard"}, "properties": {"model": model}}


ALL: Answers = {
    f"{MANAGEMENT}/subscriptions": {"value": [{"subscriptionId": "one"}]},
    LIST: {
        "value": [account("east"), account("speech", "SpeechServices")],
        "nextLink": f"{LIST}?p=2",
    },
    f"{LIST}?p=2": {"value": [account("west", "AIServices")]},
    f"{MANAGEMENT}{ACCOUNT}/deployments": {"value": [deployment("a"), deployment("b")]},
    f"{MANAGEMENT}{ACCOUNT.replace('east', 'west')}/deployments": {"value": [deployment("c")]},
}


def client(answers: Answers, seen: Callable[[httpx2.Request], None] = print) -> httpx2.AsyncClient:
    def answer(request: httpx2.Request) -> httpx2.Response:
        seen(request)
        url = str(request.url)
        told = answers.get(url, answers.get(url.partition("?")[0]))
        if isinstance(told, httpx2.Response):
            return told
        return (
            httpx2.Response(404, text="no such page")
            if told is None
            else httpx2.Response(200, json=told)
        )

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer))


async def test_all_that_a_login_sees() -> None:
    """Every page of every subscription; what serves no OpenAI is passed over."""
    shown: set[str] = set()
    async with client(ALL, lambda request: shown.add(request.headers["authorization"])) as http:
        found = await of_subscription(http, "t0ken", None, MANAGEMENT)
    assert [(each.name, each.endpoint) for each in found] == [
        ("a", "https://east.openai.azure.com"),
        ("b", "https://east.openai.azure.com"),
        ("c", "https://west.openai.azure.com"),
    ]
    assert shown == {"Bearer t0ken"}


async def test_one_subscription_alone() -> None:
    """The others are not listed."""
    paths: list[str] = []
    async with client(ALL, lambda request: paths.append(request.url.path)) as http:
        found = await of_subscription(http, "t", "one", MANAGEMENT)
    assert len(found) == 3
    assert "/subscriptions" not in paths


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "answered 404: no such page"),
        (
            {LIST: httpx2.Response(403, text="Forbidden\n for you")},
            "answered 403: Forbidden for you",
        ),
        ({LIST: httpx2.Response(403, text="Bearer t0ken?")}, r"403: Bearer \[redacted\]\?"),
        ({LIST: httpx2.Response(200, text="<html>")}, "not JSON"),
        ({LIST: {"nextLink": "https://elsewhere.example/x"}}, "on another server"),
        ({LIST: {"nextLink": f"{LIST}?p=1"}}, "more than 100 pages"),
    ],
)
async def test_what_was_not_told(answers: Answers, said: str) -> None:
    """One line, without the token; nobody else is shown it."""
    hosts: set[str] = set()
    async with client(answers, lambda request: hosts.add(request.url.host)) as http:
        with pytest.raises(NotTold, match=said) as raised:
            await of_subscription(http, "t0ken", "one", MANAGEMENT)
    assert "t0ken" not in str(raised.value)
    assert hosts == {"management.azure.com"}


async def test_a_resource_tells_of_itself() -> None:
    """Names and models; what it does not know is left open."""
    told = {"data": [{"id": "gpt-4o-ptu", "model": "gpt-4o"}, {"model": "nameless"}]}
    keys: set[str] = set()
    async with client(
        {f"{ENDPOINT}/openai/deployments": told},
        lambda request: keys.add(request.headers["api-key"]),
    ) as http:
        assert await of_resource(http, ENDPOINT, "k") == [Found(ENDPOINT, "gpt-4o-ptu", "gpt-4o")]
    assert keys == {"k"}


async def test_that_nobody_there_is_told() -> None:
    """As the system says it."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("Name or service not known", request=request)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(refuse)) as http:
        with pytest.raises(NotTold, match="could not be reached: Name or service not known"):
            await of_resource(http, ENDPOINT, "k")
