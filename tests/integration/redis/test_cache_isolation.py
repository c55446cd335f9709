"""No tenant is answered from another's cache, however hard embedder and guards fail."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import uuid4

import pytest

from app.adapters.clock import SystemClock
from app.adapters.redis.answers import AnswerLimits, kept_answers
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.semantic_index import Space
from app.adapters.redis.store import Place
from app.domain.cache.policy import CacheRule, ExactRule, SemanticRule
from app.domain.identity.tenant import Tenant
from tests.e2e.stack import eventually
from tests.fakes.call import FakeCall
from tests.fakes.embedder import at_angle
from tests.fakes.house import House, Near

PROMPTS = ["What is the capital of France?", "what is the capital of france", "Say my name!"]
PATIENT = AnswerLimits(lookup_s=30.0, search_s=30.0, work_s=30.0)


def chat(prompt: str, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **fields}


def said(body: bytes) -> str:
    """The text of an answer, or of a stream."""
    if body.startswith(b"data: "):
        chunks = [json.loads(each[6:]) for each in body.split(b"\n\n")[:-2]]
        choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    text: str = json.loads(body)["choices"][0]["message"]["content"]
    return text


@pytest.mark.skipif(installed_binaries().search is None, reason="no search module here")
@pytest.mark.parametrize(
    "tries", [500, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
async def test_an_embedder_that_finds_everything_alike_and_guards_that_let_all_pass(
    redis_url: str, tries: int
) -> None:
    """Same and near prompts, streamed or not: every answer is one that was made for its tenant."""
    mark = uuid4().hex[:8]
    names = [f"a{mark}", f"A{mark}", f"a{mark}.b", f"a{mark}-b", f"a{mark}b"]
    place, space = Place(redis_url), Space("fake", 16)
    async with kept_answers(place, SystemClock(), limits=PATIENT, space=space) as answers:
        await eventually(lambda: answers.index is not None and answers.index.trouble is None)
        house = House(tenants=[Tenant(name) for name in names], answers=answers)
        house.rule = CacheRule(ExactRule(enabled=True), SemanticRule(enabled=True))
        house.points |= dict.fromkeys(PROMPTS, at_angle(0.0))
        house.judge = lambda *_: Near(serves=True)
        dice, hits = random.Random(7), 0
        for _ in range(tries):
            name = dice.choice(names)
            fields = chat(dice.choice(PROMPTS), user=name, stream=dice.random() < 0.5)
            script = house.upstream("ptu")
            script.acts.clear()
            if fields["stream"]:
                script.streams(f"for {name}")
            else:
                script.completes(f"for {name}")
            reply, receipt = await house.serve(FakeCall(fields=fields, tenant=name))
            await answers.settled()
            assert said(reply.body) == f"for {name}", receipt.cache
            hits += receipt.cache.is_hit
        assert hits > tries * 0.9
