"""Which deployments somebody has, by Azure Resource Manager or by a resource itself.

Read only, and asked by hand: nothing here is on a request's way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from app.planner.drafting.found import Found, NotTold, found_in

_ACCOUNTS: Final = "2024-10-01"
_SUBSCRIPTIONS: Final = "2022-12-01"
#: The last version in which a resource tells of its own deployments (recorded until 2026-08).
_OWN_DEPLOYMENTS: Final = "2023-03-15-preview"
_KINDS: Final = frozenset({"OpenAI", "AIServices"})
_MOST_PAGES: Final = 100
#: Characters of what a server says, where it refuses.
_MOST_SAID: Final = 200


async def of_subscription(
    client: httpx2.AsyncClient, token: str, subscription: str | None, management: str
) -> list[Found]:
    """Deployments of all resources of a subscription, or of all that the token sees.

    Raises NotTold.
    """
    manager = _Manager(client, token, management)
    found: list[Found] = []
    async for account in manager.accounts(subscription):
        deployments = manager.pages(f"{account['id']}/deployments", _ACCOUNTS)
        found += [found_in(account, each) async for each in deployments]
    return found


async def of_resource(client: httpx2.AsyncClient, endpoint: str, key: str) -> list[Found]:
    """Deployments of one resource, told by itself: names and models alone. Raises NotTold."""
    url = f"{endpoint}/openai/deployments?api-version={_OWN_DEPLOYMENTS}"
    told = await _get(client, url, {"api-key": key})
    entries = told.get("data") or ()
    return [
        Found(endpoint, str(each["id"]), str(each.get("model") or each["id"]))
        for each in entries
        if isinstance(each, Mapping) and each.get("id")
    ]


class _Manager:
    """Resource Manager, as one token sees it."""

    def __init__(self, client: httpx2.AsyncClient, token: str, address: str) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {token}"}
        self._address = address

    async def accounts(self, subscription: str | None) -> AsyncIterator[Mapping[str, Any]]:
        """Resources that serve OpenAI's API."""
        if subscription is None:
            seen = self.pages("/subscriptions", _SUBSCRIPTIONS)
            names = [each["subscriptionId"] async for each in seen]
        else:
            names = [subscription]
        for name in names:
            path = f"/subscriptions/{name}/providers/Microsoft.CognitiveServices/accounts"
            async for account in self.pages(path, _ACCOUNTS):
                if account.get("kind") in _KINDS:
                    yield account

    async def pages(self, path: str, version: str) -> AsyncIterator[Mapping[str, Any]]:
        """All of a list, page by page; none of them leads to another server. Raises NotTold."""
        url = f"{self._address}{path}?api-version={version}"
        for _ in range(_MOST_PAGES):
            told = await _get(self._client, url, self._headers)
            for each in told.get("value") or ():
                yield each
            url = str(told.get("nextLink") or "")
            if not url:
                return
            if urlsplit(url).netloc != urlsplit(self._address).netloc:
                raise NotTold(f"Azure Resource Manager's next page is on another server: {url}")
        raise NotTold(f"Azure Resource Manager told of more than {_MOST_PAGES} pages")


async def _get(client: httpx2.AsyncClient, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    where = url.partition("?")[0]
    try:
        answer = await client.get(url, headers=headers)
        told = answer.json() if answer.status_code == HTTPStatus.OK else None
    except httpx2.HTTPError as error:
        raise NotTold(f"{where} could not be reached: {error}") from error
    except ValueError as error:
        raise NotTold(f"{where} answered with something that is not JSON") from error
    if not isinstance(told, dict):
        said = " ".join(_without(headers, answer.text).split())[:_MOST_SAID]
        raise NotTold(f"{where} answered {answer.status_code}: {said}")
    return told


def _without(headers: Mapping[str, str], said: str) -> str:
    """What a server says without the credential that it was sent."""
    for value in headers.values():
        said = said.replace(value.rpartition(" ")[2], "[redacted]")
    return said
