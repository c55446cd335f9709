"""A stream cut at every chunk: the SDK raises, nothing is spliced, no end is invented."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

PROMPT = "Say something of a few words."
CAP = 16


async def chat(team: Stack, seen: list[str]) -> None:
    """A chat stream; what it said goes to `seen`, finish reasons among it."""
    messages: list[Any] = [{"role": "user", "content": PROMPT}]
    chunks = await team.openai().chat.completions.create(
        model="gpt-4o", messages=messages, max_tokens=CAP, stream=True
    )
    async for chunk in chunks:
        for choice in chunk.choices:
            seen.append(choice.delta.content or "")
            if choice.finish_reason:
                seen.append(f"<{choice.finish_reason}>")


async def responses(team: Stack, seen: list[str]) -> None:
    """A Responses stream; its text, and the event that ends it."""
    events = await team.openai().responses.create(
        model="gpt-4o", input=PROMPT, max_output_tokens=CAP, stream=True
    )
    async for event in events:
        if event.type == "response.output_text.delta":
            seen.append(event.delta)
        if event.type in {"response.completed", "response.incomplete", "response.failed"}:
            seen.append(f"<{event.type}>")


@pytest.mark.parametrize("ask", [chat, responses])
@pytest.mark.parametrize("how", ["cut", "half_close"])
async def test_a_stream_cut_at_every_chunk_raises(
    redis_url: str, ask: Callable[[Stack, list[str]], Awaitable[None]], how: str
) -> None:
    """Before the first content another deployment serves; after it, an error and no more.

    A Responses stream announces its first item before its text: that is content already.
    """
    async with stack(redis_url, ptu_and_paygo) as team:
        whole: list[str] = []
        await ask(team, whole)
        text, end = "".join(whole[:-1]), whole[-1]
        content = sum(bool(part) for part in whole[:-1])
        assert content > 3
        for cut in range(content + 1):
            extra = {"half_close": True} if how == "half_close" else {}
            await team.fault("ptu", cut_after_chunks=cut, **extra)
            seen: list[str] = []
            team.receipts.kept.clear()
            raised = await _raised(ask(team, seen))
            await eventually(lambda: team.receipts.kept)
            said = "".join(part for part in seen if not part.startswith("<"))
            if cut == 0 and ask is chat:
                assert raised is None, (cut, seen, team.receipts.kept)
                assert _ends_well(seen, end)
                assert team.receipts.kept[-1].deployment != team.name("ptu")
                continue
            assert isinstance(raised, openai.APIError), (cut, seen)
            assert text.startswith(said), (cut, seen)
            assert not any(part.startswith("<") and part != end for part in seen)
            assert team.receipts.kept[-1].outcome == "upstream_aborted"
        assert {row["outcome"] for row in await team.served()} <= {"complete", "error"}


def _ends_well(seen: list[str], end: str) -> bool:
    return seen[-1][0] == end[0] == "<"


async def _raised(asking: Awaitable[None]) -> Exception | None:
    try:
        await asking
    except openai.OpenAIError as error:
        return error
    return None


async def test_the_raw_end_of_a_cut_stream(redis_url: str) -> None:
    """On the wire: whole frames as they came, one error event, no `[DONE]`."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await team.fault("ptu", cut_after_chunks=3)
        body = {"model": "gpt-4o", "stream": True, "max_tokens": CAP}
        body |= {"messages": [{"role": "user", "content": PROMPT}]}
        headers = {"api-key": team.key}
        url = f"{team.base_url}/chat/completions"
        async with team.http.post(url, json=body, headers=headers) as answer:
            said = await answer.read()
        frames = said.split(b"\n\n")
        assert frames[-1] == b""
        assert b"[DONE]" not in said
        assert b'"code":"upstream_disconnected"' in frames[-2]
        assert said.count(b'"error"') == 1
