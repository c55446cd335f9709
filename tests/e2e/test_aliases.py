"""A model by another name: served as what it stands for, allowed and recorded as it was asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack, ptu_and_paygo, stack


def aliased(suffix: str, **tenant: Any) -> dict[str, Any]:
    """`latest` stands for `stable`, which stands for the model; a canary takes a tenth."""
    config = ptu_and_paygo(suffix)
    canary = {f"paygo-a-{suffix}": 9, f"paygo-b-{suffix}": 1}
    models = {"latest": {"alias": "stable"}, "stable": {"alias": "gpt-4o"}}
    return config | {
        "models": {**config["models"], **models, "canary": {"tiers": [canary]}},
        "tenant": tenant,
    }


async def ask(team: Stack, model: str) -> Any:
    """One chat completion, its headers with it."""
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    return await team.openai().chat.completions.with_raw_response.create(
        model=model, messages=messages, max_tokens=8
    )


async def test_an_alias_is_served_by_the_model_it_stands_for(redis_url: str) -> None:
    """PTU first, spilling where that is held; the receipt has the name that was asked for."""
    async with stack(redis_url, aliased) as team:
        for model in ("latest", "stable", "gpt-4o"):
            answer = await ask(team, model)
            assert answer.headers["x-spillgate-deployment"] == team.name("ptu")
            assert (await team.receipt(answer.headers["x-request-id"])).model == model
        await team.fault("ptu", status=429, headers={"retry-after-ms": "60000"})
        answer = await ask(team, "latest")
        assert answer.headers["x-spillgate-deployment"].startswith("paygo-")
        assert [model.id async for model in team.openai().models.list()] == [
            "gpt-4o",
            "latest",
            "stable",
            "canary",
        ]


@pytest.mark.parametrize(("allowed", "refused"), [("latest", "gpt-4o"), ("gpt-4o", "latest")])
async def test_a_tenant_is_allowed_a_name_not_what_it_stands_for(
    redis_url: str, allowed: str, refused: str
) -> None:
    """Either way: an alias can be given alone, and does not come with its model."""
    async with stack(redis_url, lambda suffix: aliased(suffix, models=[allowed])) as team:
        assert (await ask(team, allowed)).headers["x-spillgate-attempts"] == "1"
        with pytest.raises(openai.NotFoundError):
            await ask(team, refused)
        assert [model.id async for model in team.openai().models.list()] == [allowed]


async def test_a_response_made_by_one_name_is_continued_by_another(redis_url: str) -> None:
    """It is the same deployment and the same model."""
    async with stack(redis_url, aliased) as team:
        first = await team.openai().responses.create(model="latest", input="Hello")
        following = await team.openai().responses.create(
            model="gpt-4o", input="And then?", previous_response_id=first.id
        )
        assert following.previous_response_id == first.id


async def test_a_canary_gets_its_part(redis_url: str) -> None:
    """A weight of 1 beside 9: of 300 requests 30, within five standard deviations."""
    async with stack(redis_url, aliased) as team:
        for _ in range(300):
            await ask(team, "canary")
        served = Counter(row["deployment"] for row in await team.served())
        assert served.total() == 300
        assert abs(served[team.name("paygo-b")] - 30) < 5 * (300 * 0.1 * 0.9) ** 0.5
