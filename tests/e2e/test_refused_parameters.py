"""Parameters that a deployment does not take: it is passed over, or the request is refused."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack, ptu_and_paygo, stack


def picky(suffix: str) -> dict[str, Any]:
    """The PTU takes neither of two parameters, PAYGO takes one of them."""
    config = ptu_and_paygo(suffix)
    common = ["logit_bias"]
    for name, deployment in config["deployments"].items():
        deployment["refuses"] = [*common, "temperature"] if name.startswith("ptu") else common
    return config


async def ask(team: Stack, **parameters: Any) -> Any:
    """One chat completion, its headers with it."""
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    return await team.openai().chat.completions.with_raw_response.create(
        model="gpt-4o", messages=messages, max_tokens=8, **parameters
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_deployment_that_does_not_take_it_is_passed_over(
    redis_url: str, *, stream: bool
) -> None:
    """The next tier serves, and says that it was a matter of policy; without it the PTU does."""
    async with stack(redis_url, picky) as team:
        answer = await ask(team, temperature=0.5, stream=stream)
        assert answer.headers["x-spillgate-deployment"].startswith("paygo-")
        assert answer.headers["x-spillgate-spill"] == "policy"
        for taken in ({}, {"temperature": None}, {"top_p": 0.5}):
            answer = await ask(team, stream=stream, **taken)
            assert answer.headers["x-spillgate-deployment"] == team.name("ptu")


async def test_what_nobody_takes_is_refused_and_not_dropped(redis_url: str) -> None:
    """Before anybody is asked, in the words of OpenAI, with the parameter's name."""
    async with stack(redis_url, picky) as team:
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(team, temperature=0.5, logit_bias={"50256": -100})
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "logit_bias")
        assert await team.served() == []


async def test_a_continued_response_is_held_to_its_own_deployment(redis_url: str) -> None:
    """Nobody else can serve it, so what that one does not take is refused."""
    async with stack(redis_url, picky) as team:
        client = team.openai()
        first = await client.responses.create(model="gpt-4o", input="Hello")
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(
                model="gpt-4o", input="And?", previous_response_id=first.id, temperature=0.5
            )
        assert caught.value.param == "temperature"
        await client.responses.retrieve(first.id)
