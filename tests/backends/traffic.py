"""The requests whose traces are looked for, and what each was by the gateway's own account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from openai import APIStatusError, AsyncOpenAI

from app.domain.ledger.completion import Receipt
from tests.e2e.stack import Stack, ptu_and_paygo

_AZURE: Final = {
    "kind": "paygo",
    "endpoint": "https://x.openai.azure.com",
    "tpm": 1_000_000,
    "auth": {"api_key": "k"},
}
#: A PTU of gpt-4o takes 2,500 input tokens a minute, and its bucket is a minute deep.
_MORE_THAN_A_BUCKET: Final = "word " * 4000


@dataclass(frozen=True, slots=True)
class Sent:
    """One receipt for each kind of request; `served` is the simulator's row for the stream."""

    spilled: Receipt
    kept: Receipt
    cached: Receipt
    embedding: Receipt
    error: Receipt
    served: Mapping[str, Any]

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """All of them."""
        return (self.spilled, self.kept, self.cached, self.embedding, self.error)


def config(tracing: Mapping[str, Any]) -> Callable[[str], dict[str, Any]]:
    """A small PTU and two PAYGO deployments, embeddings, a broken model, and an exact cache."""

    def of(suffix: str) -> dict[str, Any]:
        base = ptu_and_paygo(suffix, ptus=1)
        embed, broken = f"embed-{suffix}", f"broken-{suffix}"
        base["deployments"] |= {
            embed: _AZURE | {"model": "text-embedding-3-small", "deployment": "e"},
            broken: _AZURE | {"model": "gpt-4o-mini", "deployment": "b"},
        }
        base["models"] |= {
            "text-embedding-3-small": {"tiers": [[embed]]},
            "gpt-4o-mini": {"tiers": [[broken]]},
        }
        return base | {
            "cache": {"exact": {"enabled": True}},
            "tracing": {"sample": 1, "caller_sample": 1, **tracing},
        }

    return of


async def send(team: Stack, **headers: str) -> Sent:
    """Send all of them, one after the other; every request has these headers, too."""
    sdk = team.openai(default_headers=headers)
    await _fill_the_ptu(team)
    spilled = await team.receipt(await _stream(sdk))
    (served,) = [row for row in await team.served() if row["stream"] and row["status"] == 200]
    kept = await team.receipt(await _chat(sdk))
    await team.process.resources.cached.answers.settled()
    cached = await team.receipt(await _chat(sdk))
    embedding = await team.receipt(await _embedding(sdk))
    await team.fault("broken", status=500, times=50)
    error = await team.receipt(await _error(sdk))
    return Sent(spilled, kept, cached, embedding, error, served)


async def _fill_the_ptu(team: Stack) -> None:
    """By somebody else, so that the gateway still believes in its room and is refused."""
    url = f"{team.simulator_url}/{team.name('ptu')}/openai/deployments/gpt-4o/chat/completions"
    body = {
        "model": "gpt-4o",
        "max_tokens": 16,
        "messages": [{"role": "user", "content": _MORE_THAN_A_BUCKET}],
    }
    query, key = {"api-version": "2024-10-21"}, {"api-key": "k"}
    async with team.http.post(url, json=body, params=query, headers=key) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()


async def _stream(sdk: AsyncOpenAI) -> str:
    raw = await sdk.chat.completions.with_raw_response.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Tell me about spilling."}],
        max_tokens=60,
        stream=True,
    )
    async for _ in raw.parse():
        pass
    return raw.headers["x-request-id"]


async def _chat(sdk: AsyncOpenAI) -> str:
    raw = await sdk.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Ask it twice."}], max_tokens=60
    )
    return raw.headers["x-request-id"]


async def _embedding(sdk: AsyncOpenAI) -> str:
    raw = await sdk.embeddings.with_raw_response.create(
        model="text-embedding-3-small", input="A text to find again."
    )
    return raw.headers["x-request-id"]


async def _error(sdk: AsyncOpenAI) -> str:
    with pytest.raises(APIStatusError) as caught:
        await sdk.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "This fails."}]
        )
    return caught.value.response.headers["x-request-id"]
