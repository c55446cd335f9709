"""Runs every operation on both sides with the SDK that is installed here; results as JSON.

Reads the plan from standard input. Needs the `openai` package and the standard library only.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai

from tests.sdk_matrix import operations, plan
from tests.sdk_matrix.operations import OPERATIONS, described, settled


def main() -> None:
    """The driver as a program."""
    given = plan.Plan.loaded(sys.stdin.read())
    results = asyncio.run(_all(given))
    json.dump({"sdk": f"python {openai.__version__}", "results": results}, sys.stdout)


async def _all(given: plan.Plan) -> list[dict[str, Any]]:
    return [
        result
        for pair in given.pairs
        for kind in ("sync", "async")
        for result in await _pair(given, pair, kind)
    ]


async def _pair(given: plan.Plan, pair: plan.Pair, kind: str) -> list[dict[str, Any]]:
    """Every operation on this pair, one side after the other."""
    async with (
        _side(given, pair, pair.gateway, kind) as gateway,
        _side(given, pair, pair.direct, kind) as direct,
    ):
        return [
            {
                "client": pair.client,
                "kind": kind,
                "upstream": pair.upstream,
                "operation": name,
                "gateway": await _outcome(operation, gateway),
                "direct": await _outcome(operation, direct),
            }
            for name, operation in OPERATIONS.items()
        ]


async def _outcome(operation: operations.Operation, side: operations.Side) -> Any:
    try:
        return await operation(side)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the result
        return described(error)


@asynccontextmanager
async def _side(
    given: plan.Plan, pair: plan.Pair, side: plan.Side, kind: str
) -> AsyncIterator[operations.Side]:
    """One side's clients, one per URL, closed at the end."""
    by_url = {url: _client(given, pair, (url, side.key), kind) for url in set(side.urls.values())}
    try:
        clients = {target: by_url[url] for target, url in side.urls.items()}
        yield operations.Side(clients, pair.models)
    finally:
        for client in by_url.values():
            await settled(client.close())


def _client(given: plan.Plan, pair: plan.Pair, at: tuple[str, str], kind: str) -> Any:
    """A client of the pair's class, sync or async, that shows failures instead of retrying."""
    url, key = at
    name = pair.client if kind == "sync" else f"Async{pair.client}"
    where = (
        {"base_url": url}
        if pair.client == "OpenAI"
        else {"azure_endpoint": url, "api_version": given.api_version}
    )
    return getattr(openai, name)(api_key=key, max_retries=0, timeout=20, **where)


if __name__ == "__main__":
    main()
