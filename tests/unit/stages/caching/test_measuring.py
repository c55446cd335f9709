"""How often answers by meaning are wrong, from the client's call to the evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.cache.error_rate import Comparison
from app.domain.cache.outcome import CacheResult
from app.domain.cache.policy import CacheRule, ExactRule, SemanticRule
from app.domain.call.errand import Purpose
from app.domain.identity.tenant import Tenant
from app.domain.ledger.ledger_row import LedgerRow
from app.errors import NotCached
from tests.fakes.call import FakeCall
from tests.fakes.changed import replace
from tests.fakes.house import House
from tests.fakes.reply import RecordingReply

SAME, DIFFERENT = Comparison.SAME, Comparison.DIFFERENT
SEMANTIC = SemanticRule(enabled=True)
FRANCE, NEAR = "What is the capital of France?", "France's capital city?"


def chat(text: str = NEAR, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
def house() -> House:
    made = House(tenants=(Tenant("acme"),))
    made.rule = CacheRule(exact=ExactRule(enabled=True), semantic=SEMANTIC)
    made.points |= {FRANCE: (1, 0), NEAR: (0.995, 0.0998)}  # 0.005 apart
    return made


async def ask(
    house: House, fields: dict[str, Any] | None = None, **headers: str
) -> tuple[RecordingReply, CacheResult]:
    call = FakeCall(
        fields=chat() if fields is None else fields,
        headers={name.replace("_", "-"): text for name, text in headers.items()},
    )
    reply, receipt = await house.serve(call)
    return reply, receipt.cache.result


async def kept(house: House, **headers: str) -> None:
    house.upstream("ptu").completes("Paris")
    await ask(house, chat(FRANCE), **headers)


def errands(house: House) -> list[LedgerRow]:
    return [row for row in house.accounts.rows if row.errand]


async def test_some_hits_are_asked_upstream_too(house: House) -> None:
    """After the client has its answer, at the tenant's cost; what comes of it is evidence."""
    await kept(house, openai_beta="b=1")
    house.drawn = 0.04
    house.comparison = DIFFERENT
    house.upstream("ptu").completes("Lyon", usage=(9, 2))
    reply, result = await ask(house, x_spillgate_tags="project=x", openai_beta="b=1")
    assert (b"Paris" in reply.body, result) == (True, CacheResult.SEMANTIC)
    assert house.upstream.names == ["ptu"]
    await house.aside.idle()
    (row,) = errands(house)
    assert (row.errand, row.tenant, row.input, row.tags) == (
        "sample",
        "acme",
        9,
        {"project": "x"},
    )
    ((kept_body, fresh),) = house.compared
    assert (b"Paris" in kept_body, b"Lyon" in fresh) == (True, True)
    ((tenant, model, distance, comparison),) = house.evidence.recorded
    assert (tenant, model, comparison) == ("acme", "gpt-4o", DIFFERENT)
    assert distance == pytest.approx(0.005, abs=1e-3)
    asked = house.upstream.asked[-1]
    assert (asked.request.body, asked.headers) == (
        json.dumps(chat()).encode(),
        {"openai-beta": "b=1"},
    )


async def test_other_hits_are_not(house: House) -> None:
    """By the rate that the policy has; exact hits never."""
    await kept(house)
    await ask(house)
    house.drawn = 0.0
    await ask(house, chat(FRANCE))
    house.rule = replace(house.rule, semantic=replace(SEMANTIC, sample_rate=0.0))
    await ask(house)
    house.rule = replace(house.rule, semantic=replace(SEMANTIC, sample_usd_per_day=0.0))
    await ask(house)
    await house.aside.idle()
    assert len(house.upstream.asked) == 1


async def test_a_stream_is_sampled_as_a_stream(house: House) -> None:
    """The same request goes out, and is compared as the body that it comes to."""
    await kept(house)
    house.drawn = 0.0
    await ask(house, chat(stream=True))
    house.upstream("ptu").streams("Par", "is", usage=(9, 2))
    await house.aside.idle()
    ((_, fresh),) = house.compared
    assert json.loads(fresh)["choices"][0]["message"]["content"] == "Paris"


async def test_measuring_ends_with_its_money(house: House) -> None:
    """The cap is of a day, in the account; once it is used up nobody asks for a while."""
    reserved = (10 * 2 + 100 * 8) / 1e9
    semantic = replace(SEMANTIC, sample_usd_per_day=reserved)
    house.rule = replace(house.rule, semantic=semantic)
    await kept(house)
    house.drawn = 0.0
    house.upstream("ptu").completes(usage=(9, 2))
    for _ in range(4):
        await ask(house)
        await house.aside.idle()
    assert [row.kind for row in errands(house)] == ["settled", "refused"]
    assert len(house.evidence.recorded) == 1
    house.clock.advance(601)
    await ask(house)
    await house.aside.idle()
    assert [row.kind for row in errands(house)] == ["settled", "refused", "refused"]
    assert house.measuring.given_up_total == 2


@pytest.mark.parametrize("way", ["failed", "filtered", "cut"])
async def test_what_is_no_answer_is_no_evidence(house: House, way: str) -> None:
    """Neither that of a deployment that failed, nor one that was withheld or cut."""
    await kept(house)
    house.drawn = 0.0
    await ask(house)
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": "Pa"}}
    reason = {"filtered": "content_filter", "cut": "length"}.get(way)
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    body = {"choices": [choice | {"finish_reason": reason}], "usage": usage}
    for name in ("ptu", "paygo"):
        if way == "failed":
            house.upstream(name).answers(500, code="oops")
        else:
            house.upstream(name).answers(body=json.dumps(body).encode())
    await house.aside.idle()
    assert (house.compared, house.evidence.recorded) == ([], [])
    assert house.measuring.given_up_total == 1
    assert house.accounts.held == 0


async def test_in_shadow_mode_every_would_be_hit_is_compared(house: House) -> None:
    """With the answer that the client got, at no cost; whatever the rate and the money."""
    semantic = replace(SEMANTIC, shadow=True, sample_rate=0.0, sample_usd_per_day=0.0)
    house.rule = replace(house.rule, semantic=semantic)
    await kept(house)
    house.upstream("ptu").completes("It is Paris")
    reply, result = await ask(house)
    assert (b"It is Paris" in reply.body, result) == (True, CacheResult.MISS)
    await house.aside.idle()
    ((kept_body, fresh),) = house.compared
    assert (b'"Paris"' in kept_body, fresh) == (True, reply.body)
    assert len(house.evidence.recorded) == 1
    assert not errands(house)


def refuted(house: House, distance: float = 0.005) -> None:
    for _ in range(30):
        house.evidence.record("acme", "gpt-4o", distance, DIFFERENT)


async def test_what_was_wrong_too_often_is_not_served(house: House) -> None:
    """It is asked upstream, which the record says, and goes on being measured."""
    await kept(house)
    refuted(house)
    with pytest.raises(NotCached):
        await ask(house, cache_control="only-if-cached")
    house.upstream("ptu").completes("Paris, still")
    _, receipt = await house.serve(FakeCall(fields=chat()))
    assert (receipt.cache.result, receipt.cache.reason) == (CacheResult.MISS, "tightened")
    assert receipt.cache.distance == pytest.approx(0.005, abs=1e-3)
    assert not receipt.cache.would_hit
    await house.aside.idle()
    assert len(house.compared) == 1


async def test_it_recovers_by_what_it_would_have_served(house: House) -> None:
    """Without a single sample that was paid for."""
    await kept(house)
    refuted(house)
    house.rule = replace(house.rule, exact=ExactRule())  # so that the same question asks again
    withheld = 0
    while True:
        house.upstream("ptu").completes("Paris")
        _, result = await ask(house)
        await house.aside.idle()
        if result is CacheResult.SEMANTIC:
            break
        withheld += 1
        for _ in range(99):
            house.evidence.record("acme", "gpt-4o", 0.005, SAME)
    assert 10 < withheld < 40
    assert not errands(house)


async def test_another_tenants_evidence_is_not_ours(house: House) -> None:
    """Each has its own questions."""
    for _ in range(30):
        house.evidence.record("rival", "gpt-4o", 0.005, DIFFERENT)
        house.evidence.record("acme", "other", 0.005, DIFFERENT)
    await kept(house)
    assert (await ask(house))[1] is CacheResult.SEMANTIC


async def test_what_may_not_be_stored_is_not_compared(house: House) -> None:
    """`no-store` is of what the gateway remembers of the answer, be it for a moment."""
    await kept(house)
    refuted(house)
    house.upstream("ptu").completes("Paris")
    await ask(house, cache_control="no-store")
    await house.aside.idle()
    assert not house.compared


async def test_too_much_at_a_time_is_left_out(house: House) -> None:
    """Measuring never piles up; nothing fails."""
    await kept(house)
    house.drawn = 0.0
    await house.aside.close()
    assert (await ask(house))[1] is CacheResult.SEMANTIC
    assert house.aside.refused_total == house.measuring.given_up_total == 1


async def test_a_sample_waits_behind_all_others(house: House) -> None:
    """It is of the last class, whoever it is for."""
    await kept(house)
    house.drawn = 0.0
    await ask(house)
    house.upstream("ptu").completes()
    await house.aside.idle()
    plan = house.observer.receipts[-1].plan
    assert house.observer.receipts[-1].errand is Purpose.SAMPLE
    assert plan is not None
    assert plan.load is not None
    assert plan.load.claim.request_class.name == "BATCH"
